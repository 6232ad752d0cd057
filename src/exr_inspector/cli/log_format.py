"""Lines of the log for people."""

from __future__ import annotations

import logging

from .text import clean


class CleanFormatter(logging.Formatter):
    """Text without characters that control a terminal: a line for the record, and those of its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        lines = [f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        return "\n".join(map(clean, lines))
