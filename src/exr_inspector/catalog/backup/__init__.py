"""Backups of a catalog: a Parquet file for each table and a manifest, in a folder or below a prefix of an object store.

In: an open catalog, or the folder of a backup. Out: a backup; a restored catalog; what is wrong with a backup. Must not
know: how a backend reads and writes rows.

A backup is complete while others write to the catalog, whatever the isolation of the database: `files` is read first,
and of the other tables only the rows of these files. An increment has the rows that its base lacks.
"""

from .check import changed_since, check
from .manifest import Manifest
from .restore import Restored, restore
from .write import backup

__all__ = ["Manifest", "Restored", "backup", "changed_since", "check", "restore"]
