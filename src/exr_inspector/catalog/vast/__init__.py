"""The catalog in a VAST Database, through the vendor's SDK. Imports it, which takes most of a second.

`connection` speaks with one cluster within a deadline, `errors` puts what goes wrong into the catalog's words,
`tables` makes the tables and moves rows, `versions` decides what a persist changes, `settle` removes what
concurrent writers stored twice, and `catalog` is the Catalog made of these.
"""

from ...errors import MissingExtraError

try:
    import tenacity  # noqa: F401
    import vastdb  # noqa: F401
except ModuleNotFoundError as missing:
    raise MissingExtraError("vast", "a catalog in a VAST Database") from missing

from .catalog import VastCatalog

__all__ = ["VastCatalog"]
