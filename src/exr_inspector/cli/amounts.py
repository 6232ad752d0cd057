"""Durations, and shares of a number of files, in the values of options."""

from __future__ import annotations

import re

from ..errors import SettingsError

_DURATION = re.compile(r"([0-9]{1,18}(?:\.[0-9]+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHARE = re.compile(r"([0-9]{1,18}(?:\.[0-9]+)?)(%?)")


def duration_s(text: str, option: str) -> float:
    """The seconds of a duration such as 90s, 10m, 1.5h or 2d. Raises SettingsError that names the option."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise SettingsError(f"{option} {text}: expected a number and a unit, such as 60s, 10m, 12h or 2d")
    return float(match[1]) * _SECONDS[match[2]]


def files_or_percent(text: str, option: str) -> tuple[int | None, float]:
    """A number of files and 100, or None and a percentage such as 10%. Raises SettingsError that names the option."""
    match = _SHARE.fullmatch(text)
    if match is None or (match[2] and float(match[1]) > 100) or not (match[2] or match[1].isdecimal()):
        raise SettingsError(f"{option} {text}: expected a percentage up to 100%, such as 10%, or a number of files")
    return (None, float(match[1])) if match[2] else (int(match[1]), 100)
