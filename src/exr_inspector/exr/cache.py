"""A cache bounded by the memory of its entries, for values that repeat from file to file."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Cache(Generic[_Key, _Value]):
    """A cache of two generations: when the new one is full it replaces the old one.

    Entries of the old generation that are read move to the new one, so values that differ in every frame of a sequence
    do not evict those that all frames share. Threads may share a cache: at worst an entry is lost.
    """

    __slots__ = ("_bytes", "_max_bytes", "_old", "_size_of", "new")

    def __init__(self, max_bytes: int, size_of: Callable[[_Key, _Value], int]) -> None:
        self._max_bytes = max_bytes // 2
        self._size_of = size_of  # estimated memory of an entry
        self.clear()

    def clear(self) -> None:
        """Remove all entries."""
        self.new: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}
        self._bytes = 0

    def get(self, key: _Key) -> _Value | None:
        """The value of a key, or None."""
        value = self.new.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Store a value, unless it is larger than a generation."""
        size = self._size_of(key, value)
        if size > self._max_bytes:
            return
        if self._bytes + size > self._max_bytes:
            self._old, self.new, self._bytes = self.new, {}, 0
        self.new[key] = value
        self._bytes += size
