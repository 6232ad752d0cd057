"""Limits for the decoded values of one file, whose size does not follow from the stored one.

The unit is one small Python object: up to 200 bytes, and 3 µs to decode and write as JSON.
"""

from __future__ import annotations

# Per file. Channel lists and short texts have their own budget, so that parts keep their names, types and channels.
OBJECTS, OBJECTS_OF_STRUCTURE = 1 << 17, 1 << 18


class ValueTooLargeError(ValueError):
    """A value takes more than the limit or the rest of the budget."""


class Budget:
    """A number of objects that decoders may still create."""

    __slots__ = ("left",)

    def __init__(self, objects: int = OBJECTS) -> None:
        self.left = objects

    def take(self, objects: int) -> None:
        """Count objects before they are created. Raises ValueTooLargeError, and counts none, if too few are left."""
        if objects > self.left:
            raise ValueTooLargeError(f"{objects} objects are needed, but {self.left} are left")
        self.left -= objects
