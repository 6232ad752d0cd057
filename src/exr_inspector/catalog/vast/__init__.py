"""The catalog in a VAST Database, through the vendor's SDK, whose import takes most of a second.

`connection` talks to one cluster within a deadline, `errors` translates exceptions, `tables` moves rows, `migrate`
creates and migrates tables, `persist_plan` decides what a persist changes, `duplicates` removes duplicates of
concurrent writers, `streamed_sql` runs queries, and `catalog` implements the Catalog protocol with these.
"""

from ...errors import MissingExtraError

try:
    import vastdb  # noqa: F401
except ModuleNotFoundError as missing:
    raise MissingExtraError("vast", "a catalog in a VAST Database") from missing

from .catalog import VastCatalog

__all__ = ["VastCatalog"]
