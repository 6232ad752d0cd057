"""Options such as `--param NAME=VALUE` that can be repeated."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SettingsError


def assignments(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """The values by name. Raises SettingsError without the text, which may be a secret."""
    given: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"{option}: expected a name, = and a value, such as {option} {example}")
        if name in given:
            raise SettingsError(f"{option} {name}: given twice; give each value once")
        given[name] = value
    return given
