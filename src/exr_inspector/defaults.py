"""Defaults of settings that hold for callers without settings too; importing `settings` takes 0.1 s."""

from __future__ import annotations

CELL_LIMIT, QUERY_MEMORY_MB = 64 * 1024, 128
PATH_TEMPLATE = "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**"
