"""A few S3 objects in memory, for imports. They do not take part in transactions."""

import threading

from .errors import ApiError


class ObjectStore:
    """Objects by bucket and key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], bytes] = {}

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object."""
        with self._lock:
            self._objects[bucket, key] = data

    def get(self, bucket: str, key: str) -> bytes:
        """The bytes of an object."""
        with self._lock:
            if (data := self._objects.get((bucket, key))) is None:
                raise ApiError(404, "NoSuchKey", f"there is no object {key!r} in {bucket!r}")
            return data

    def delete(self, bucket: str, key: str) -> None:
        """Forget an object; one that is not there is no error."""
        with self._lock:
            self._objects.pop((bucket, key), None)
