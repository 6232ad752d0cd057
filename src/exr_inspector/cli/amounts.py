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


def share(text: str, option: str) -> int | float:
    """A number of files as an int, or of a percentage such as 10% the fraction as a float.

    Raises SettingsError that names the option.
    """
    match = _SHARE.fullmatch(text)
    if match is None or (match[2] and float(match[1]) > 100) or not (match[2] or match[1].isdecimal()):
        raise SettingsError(f"{option} {text}: expected a percentage up to 100%, such as 10%, or a number of files")
    return float(match[1]) / 100 if match[2] else int(match[1])
