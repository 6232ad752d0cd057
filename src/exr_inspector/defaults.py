"""Default values of settings, for code that must not import `settings`, which takes 0.1 s."""

from __future__ import annotations

CELL_LIMIT = 64 * 1024
QUERY_MEMORY_MB = 128
PATH_TEMPLATE = "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**"
