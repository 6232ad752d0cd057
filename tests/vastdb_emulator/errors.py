"""Refusals: an HTTP status, an S3 error code and a text, as the SDK turns them into exceptions.

Known are the statuses and the codes that the SDK's tests look for. All other codes are invented.
"""

from xml.sax.saxutils import escape


class ApiError(Exception):
    """A request that is answered with an error instead of its result."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> bytes:
        """The S3 error document; the SDK reads Code and Message, other clients want a RequestId."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            "<RequestId>emulator</RequestId></Error>"
        ).encode()


def bad_request(message: str, code: str = "InvalidArgument") -> ApiError:
    """400: the request makes no sense."""
    return ApiError(400, code, message)


def forbidden(code: str, message: str) -> ApiError:
    """403: unknown key or wrong signature."""
    return ApiError(403, code, message)


def not_found(what: str, name: str) -> ApiError:
    """404: `what` is a word such as "table"."""
    return ApiError(404, f"NoSuch{what.title().replace(' ', '')}", f"the {what} {name!r} does not exist")


def conflict(message: str, code: str = "TabularConflict") -> ApiError:
    """409: something exists already, is not empty, or was written by another transaction."""
    return ApiError(409, code, message)


def not_implemented(what: str) -> ApiError:
    """501: a feature of the real server that is not emulated."""
    return ApiError(501, "NotImplemented", f"{what} is not emulated")
