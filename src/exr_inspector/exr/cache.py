"""A cache for what repeats from file to file, bounded by the memory that its entries take."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Cache(Generic[_Key, _Value]):
    """Two generations: when the new one is full it becomes the old one, and the old one is dropped.

    What is asked for again moves into the new one, so values that differ in every frame of a sequence do not push out
    those that all frames share. Threads may share it: at worst an entry is lost.
    """

    __slots__ = ("_bytes", "_most_bytes", "_old", "_size_of", "new")

    def __init__(self, most_bytes: int, size_of: Callable[[_Key, _Value], int]) -> None:
        self._most_bytes = most_bytes // 2
        self._size_of = size_of  # the memory that an entry takes, about
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.new: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}
        self._bytes = 0

    def get(self, key: _Key) -> _Value | None:
        """The value kept under a key."""
        value = self.new.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value; one that would fill a generation is not kept."""
        size = self._size_of(key, value)
        if size > self._most_bytes:
            return
        if self._bytes + size > self._most_bytes:
            self._old, self.new, self._bytes = self.new, {}, 0
        self.new[key] = value
        self._bytes += size
