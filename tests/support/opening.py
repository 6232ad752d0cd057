"""Change the file system in the moment before a file is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_actions: dict[str, Callable[[], None]] = {}


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _actions and (action := _actions.pop(str(arguments[0]), None)) is not None:
        action()


sys.addaudithook(_audit)  # for good: there is no way to remove one


@contextmanager
def before_open(path: str | Path, action: Callable[[], None]) -> Iterator[None]:
    """Inside the block, `action` is called once, when the path is about to be opened. It has to be."""
    _actions[str(path)] = action
    try:
        yield
        assert str(path) not in _actions, f"{path} was not opened"
    finally:
        _actions.pop(str(path), None)


def point_link(link: Path, target: str | os.PathLike[str]) -> None:
    """Let a symbolic link name something else, in one step."""
    new = link.with_name(f"{link.name}.new")
    new.symlink_to(target)
    new.replace(link)
