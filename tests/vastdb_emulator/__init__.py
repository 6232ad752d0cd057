"""A stand-in for a VAST cluster: an HTTP server that speaks the wire protocol of the `vastdb` SDK.

In come the requests of the unmodified SDK, out go the answers that it expects; rows are Arrow arrays
in memory. It knows nothing of the project. What is not known about the real server, because no
public source tells, is decided in `assumptions`. The SDK's own test suite is run against it
(`sdk_suite`). Not emulated are SQL (the ADBC driver and with it vector search), partitions, blob
expansion and imports by key; they are refused with status 501.
"""

from .assumptions import STRICT, Assumptions
from .emulator import Emulator
from .faults import Fault, LoggedRequest

__all__ = ["STRICT", "Assumptions", "Emulator", "Fault", "LoggedRequest"]
