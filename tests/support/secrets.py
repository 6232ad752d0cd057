"""The secrets of the tests, and a handler that finds them in logs and errors."""

from __future__ import annotations

import logging

from exr_inspector.errors import ExrInspectorError

SECRETS = (
    "store-secret-that-nobody-may-see",  # of the object store
    "not-a-real-secret",  # of the database
    "event-hidden",  # of a database that an event names
    "bearer-hidden",  # of the HTTP runtime
)


def secrets_in(text: str) -> list[str]:
    """The secrets that a text contains."""
    return [secret for secret in SECRETS if secret in text]


class Watch(logging.Handler):
    """Checks log records and the exceptions of the package for secrets."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self._format = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Check a record, including its traceback."""
        if record.name.startswith("exr_inspector"):
            self.check("log", self._format.format(record))

    def check(self, source: str, text: str) -> None:
        """Add the secrets in a text to `leaks`."""
        self.leaks += [f"{source}: {secret}" for secret in secrets_in(text)]

    def watch_errors(self) -> None:
        """Check the arguments of every error of the package from now on."""
        original = ExrInspectorError.__init__

        def init(error: ExrInspectorError, *arguments: object) -> None:
            original(error, *arguments)
            self.check(type(error).__name__, repr(arguments))

        ExrInspectorError.__init__ = init  # type: ignore[method-assign]
