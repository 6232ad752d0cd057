"""The network: name, port, certificate and clock of an endpoint. No request is signed."""

from __future__ import annotations

import math
import os
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from time import time
from urllib.parse import urlsplit

from ..settings import S3Access, VastConnection
from ..sources.s3_listing import tls_context
from .model import Check, failure, ok, warning

_DAYS_LEFT = 30
_SKEW_WARNING_S, _SKEW_FAILURE_S = 60, 300  # stores reject signatures of another time; AWS those beyond 900 s
_SECONDS_PER_DAY = 86_400
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # of the HTTP client of the VAST SDK


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server, and how its certificate is verified."""

    name: str  # the first word of its checks
    url: str
    verify: bool | str
    timeout_s: float
    variables: str  # the prefix of its settings


def vast_endpoint(connection: VastConnection) -> Endpoint:
    """The endpoint of a VAST Database."""
    bundle = next(filter(None, map(os.environ.get, _CA_VARIABLES)), None)
    return Endpoint(
        name="vast",
        url=connection.endpoint,
        verify=bundle if bundle and connection.verify is True else connection.verify,
        timeout_s=connection.request_timeout_s,
        variables="VAST_DB_",
    )


def s3_endpoint(access: S3Access) -> Endpoint:
    """The endpoint of an object store."""
    return Endpoint(
        name="s3", url=access.url, verify=access.verify, timeout_s=access.request_timeout_s, variables="S3_"
    )


def reachability(endpoint: Endpoint) -> Iterator[Check]:
    """DNS, TCP, TLS and clock; the first one that fails is the last one."""
    parts = urlsplit(endpoint.url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        yield failure(
            f"{endpoint.name} dns", "the port is out of range", f"correct the port in {endpoint.variables}ENDPOINT"
        )
        return
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        yield warning(f"{endpoint.name} network", f"not checked: requests to {host} go through a proxy")
        return
    try:
        addresses = {each[4][0] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "invalid name"
        yield failure(
            f"{endpoint.name} dns",
            f"{host} has no address: {reason}",
            f"check {endpoint.variables}ENDPOINT and the name server",
            is_conclusive=False,
        )
        return
    count = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    yield ok(f"{endpoint.name} dns", f"{host} is {min(map(str, addresses))}{count}")
    try:
        connected = socket.create_connection((host, port), endpoint.timeout_s)
    except OSError as error:
        yield failure(
            f"{endpoint.name} tcp",
            f"{host} port {port} does not accept a connection: {error.strerror or 'timed out'}",
            f"check that the server runs, firewalls, and the port in {endpoint.variables}ENDPOINT",
            is_conclusive=False,
        )
        return
    with closing(connected):
        yield ok(f"{endpoint.name} tcp", f"{host} port {port} accepts connections")
        yield from _over(connected, endpoint, host, port, is_https=parts.scheme == "https")


def _over(connected: socket.socket, endpoint: Endpoint, host: str, port: int, *, is_https: bool) -> Iterator[Check]:
    """TLS and clock, over a connection."""
    stream = connected
    try:
        context = tls_context(endpoint.verify) if is_https else None
    except OSError as error:  # also for a file without certificates
        reason = error.strerror or "no certificate in it"
        yield failure(f"{endpoint.name} tls", f"{endpoint.verify} is not usable: {reason}", "give a PEM file")
        return
    try:
        if context is not None:
            stream = context.wrap_socket(connected, server_hostname=host)
            yield _certificate(endpoint, stream)
        yield _clock(endpoint, stream, host, port)
    except ssl.SSLCertVerificationError as error:
        yield failure(
            f"{endpoint.name} tls",
            f"the certificate of {host} is not trusted: {error.verify_message}",
            f"give the file of its authority in {endpoint.variables}VERIFY, or use the name in the certificate",
        )
    except ssl.SSLError as error:
        yield failure(
            f"{endpoint.name} tls",
            f"{host} port {port} does not speak TLS: {error.reason}",
            f"check https:// and the port in {endpoint.variables}ENDPOINT",
        )
    except (OSError, HTTPException) as error:
        yield failure(
            f"{endpoint.name} http",
            f"{host} port {port} does not respond like an HTTP server: {type(error).__name__}",
            f"check the port in {endpoint.variables}ENDPOINT",
            is_conclusive=False,
        )
    finally:
        stream.close()


def _certificate(endpoint: Endpoint, stream: ssl.SSLSocket) -> Check:
    name = f"{endpoint.name} tls"
    certificate = stream.getpeercert()
    if not certificate:  # of a certificate that is not verified, nothing is known
        variable = f"{endpoint.variables}VERIFY"
        return warning(name, f"the certificate is not verified: {variable} is false", f"give {variable} a file")
    left = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time()) / _SECONDS_PER_DAY
    what = f"{stream.version()}, the certificate is trusted and valid for {math.floor(left)} days"
    return warning(name, what, "renew it") if left < _DAYS_LEFT else ok(name, what)


def _clock(endpoint: Endpoint, stream: socket.socket, host: str, port: int) -> Check:
    name = f"{endpoint.name} clock"
    http = HTTPConnection(host, port, timeout=endpoint.timeout_s)
    http.sock = stream
    http.request("HEAD", "/")
    local = datetime.now(timezone.utc)
    date = http.getresponse().getheader("Date", "")
    try:
        server = parsedate_to_datetime(date)
        skew_s = (server - local).total_seconds()
    except (TypeError, ValueError, OverflowError):  # also a date without a zone
        return ok(name, "not checked: the server does not send its time")
    what = f"the server's clock differs from this one by {abs(skew_s):,.0f} s"
    remedy = "synchronise the clocks (NTP): requests with another time are rejected"
    if abs(skew_s) > _SKEW_FAILURE_S:
        return failure(name, what, remedy)
    return warning(name, what, remedy) if abs(skew_s) > _SKEW_WARNING_S else ok(name, what)
