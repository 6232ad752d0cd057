"""The secrets of the tests, and a watch over everything that is told while they run."""

from __future__ import annotations

import logging

from exr_inspector.errors import ExrInspectorError

SECRETS = (
    "store-secret-that-nobody-may-see",  # of the object store
    "not-a-real-secret",  # of the database
    "event-hidden",  # … of one that an event names
    "bearer-hidden",  # of the HTTP runtime
)


def told(text: str) -> list[str]:
    """The secrets that a text gives away."""
    return [secret for secret in SECRETS if secret in text]


class Watch(logging.Handler):
    """Log records and the project's exceptions, as they are made."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self._format = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record, its traceback included."""
        if record.name.startswith("exr_inspector"):
            self.look("log", self._format.format(record))

    def look(self, where: str, text: str) -> None:
        """Look at any text."""
        self.leaks += [f"{where}: {secret}" for secret in told(text)]

    def watch_errors(self) -> None:
        """Look at the arguments of each error of the project from now on."""
        made = ExrInspectorError.__init__

        def init(error: ExrInspectorError, *arguments: object) -> None:
            made(error, *arguments)
            self.look(type(error).__name__, repr(arguments))

        ExrInspectorError.__init__ = init  # type: ignore[method-assign]
