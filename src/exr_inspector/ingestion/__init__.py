"""Many files into a catalog.

In: paths, folders and s3:// prefixes, and an open catalog. Out: persisted inspections and an `IngestSummary`.
Must not know: which backend the catalog has, how results are printed.
"""
