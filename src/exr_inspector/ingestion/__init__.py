"""Ingest: many files into a catalog.

In: paths, folders and s3:// prefixes, and an open catalog. Out: persisted inspections and an `IngestSummary`.
Must not know: the backend of the catalog, how results are printed.
"""
