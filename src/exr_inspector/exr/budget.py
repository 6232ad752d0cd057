"""How much the values of one file may take once they are decoded: a kilobyte can hold a thousand objects.

The unit is one small Python object, which takes up to 200 bytes, and 3 µs to decode and to write as JSON.
"""

from __future__ import annotations

# Of the values of one file. Channel lists and short texts have a share of their own: whatever else a header holds, its
# parts keep their names, types and channels.
OBJECTS, OBJECTS_OF_STRUCTURE = 1 << 17, 1 << 18


class ValueTooLargeError(ValueError):
    """A value needs more than is left."""


class Budget:
    """The objects that may still be made."""

    __slots__ = ("left",)

    def __init__(self, objects: int = OBJECTS) -> None:
        self.left = objects

    def take(self, objects: int) -> None:
        """Count objects that are about to be made. Raises ValueTooLargeError; then nothing is counted."""
        if objects > self.left:
            raise ValueTooLargeError(f"{objects} objects are needed, {self.left} are left")
        self.left -= objects
