"""The client of all requests to a runtime."""

import httpx

# Made once, as each client reads the certificates of all authorities (30 ms). No connection is used twice, so a request
# never meets one that the runtime has closed. Only a test that needs a time limit has a short one.
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=60)
