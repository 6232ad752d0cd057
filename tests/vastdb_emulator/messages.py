"""A request as the commands see it, and their answer. No HTTP library reaches further than this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from .errors import bad_request
from .transactions import TablePath

_VERBS = {"GET": "list", "POST": "create", "PUT": "alter", "DELETE": "drop"}
_OPERATIONS = {
    ("GET", "transaction"): "get_transaction",
    ("POST", "transaction"): "begin",
    ("PUT", "transaction"): "commit",
    ("DELETE", "transaction"): "rollback",
    ("POST", "rows"): "insert",
    ("PUT", "rows"): "update",
    ("DELETE", "rows"): "delete",
    ("GET", "data"): "select",
    ("POST", "data"): "import",
    ("GET", "stats"): "stats",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: a command on a bucket, a schema or a table, or a plain S3 request without command."""

    method: str
    target: str  # path and query as they came over the wire
    headers: Mapping[str, str]  # case-insensitive
    body: bytes
    is_lagging: bool = False  # it came through an address where selects see an earlier state

    @cached_property
    def raw_path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @cached_property
    def raw_query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]

    @cached_property
    def segments(self) -> list[str]:
        """The decoded parts of the path. A bucket's snapshot belongs to the bucket's name."""
        parts = [unquote(part) for part in self.raw_path.split("/") if part]
        if len(parts) > 2 and parts[1] == ".snapshot":
            parts[:3] = ["/".join(parts[:3])]
        return parts

    @cached_property
    def command(self) -> str:
        """The word of the query that has no value, such as "rows"; empty for a plain S3 request."""
        first, *_ = self.raw_query.split("&")
        return first.removesuffix("=") if "=" not in first.removesuffix("=") else ""

    @cached_property
    def params(self) -> dict[str, str]:
        """The other parts of the query."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @cached_property
    def operation(self) -> str:
        """What the request does in one word: "begin", "insert", "select", "list_table", "probe"."""
        if self.headers.get("tabular-get-vast-version"):
            return "probe"
        if not self.command:
            kind = "object" if len(self.segments) > 1 else "bucket"
            return f"{self.method.lower()}_{kind}"
        known = _OPERATIONS.get((self.method, self.command))
        return known or f"{_VERBS.get(self.method, self.method.lower())}_{self.command.replace('-', '_')}"

    @property
    def txid(self) -> int:
        """The transaction the request belongs to; 0 is none."""
        return self.number("tabular-txid", 0)

    @property
    def bucket(self) -> str:
        """The first part of the path."""
        return self.segments[0] if self.segments else ""

    @property
    def schema(self) -> str:
        """The path after the bucket, for commands on schemas."""
        return "/".join(self.segments[1:])

    @property
    def table(self) -> TablePath:
        """The path as the name of a table, for commands on tables."""
        if len(self.segments) < 3:
            raise bad_request(f"{self.raw_path} does not name a table")
        bucket, *schema, name = self.segments
        return TablePath(bucket, "/".join(schema), name, self.params.get("sub-table", ""))

    def number(self, header: str, default: int) -> int:
        """A header with a decimal number."""
        text = self.headers.get(header, str(default))
        try:
            return int(text)
        except ValueError:
            raise bad_request(f"{header} is not a number: {text!r}") from None

    def flag(self, header: str) -> bool:
        """A header with True or False."""
        return self.headers.get(header, "").lower() == "true"

    def param(self, name: str) -> str:
        """A part of the query that must be there."""
        if name not in self.params:
            raise bad_request(f"the parameter {name} is missing")
        return self.params[name]


@dataclass(kw_only=True)
class Answer:
    """Status 200, headers, and a body: bytes, or pieces that are sent as they come (chunked)."""

    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
