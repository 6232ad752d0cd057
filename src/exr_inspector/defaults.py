"""Default values of settings, and of the environment, for code that must not import `settings`: it takes 0.1 s."""

from __future__ import annotations

CELL_LIMIT = 64 * 1024
QUERY_MEMORY_MB = 128
PATH_TEMPLATE = "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**"

# For processes of this package: numpy would start a thread per core for linear algebra, which is not used.
NUMPY_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
