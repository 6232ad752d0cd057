"""`/?transaction`: the probe, begin, commit, rollback. And the bucket check, which needs no transaction."""

from .messages import Answer, Request
from .service import Command, Service


def probe_or_get(service: Service, request: Request) -> Answer:
    """GET: the probe only wants the `Server` header, which every answer has; else: is it open?"""
    if not request.headers.get("tabular-get-vast-version"):
        service.database.get(request.txid)
    return Answer()


def begin(service: Service, _: Request) -> Answer:
    """POST: the number of the new transaction is in the headers. The node's name keeps the SDK quiet."""
    transaction = service.database.begin()
    return Answer(headers={"tabular-txid": str(transaction.txid), "x-vast-rcf-id": "E1:emulator"})


def commit(service: Service, request: Request) -> Answer:
    """PUT."""
    service.database.commit(request.txid)
    return Answer()


def rollback(service: Service, request: Request) -> Answer:
    """DELETE."""
    service.database.rollback(request.txid)
    return Answer()


COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "transaction"): probe_or_get,
    ("POST", "transaction"): begin,
    ("PUT", "transaction"): commit,
    ("DELETE", "transaction"): rollback,
}
