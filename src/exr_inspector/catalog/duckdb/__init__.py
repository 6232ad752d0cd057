"""The embedded catalog: one DuckDB file.

In: Arrow tables of inspections. Out: rows, in one transaction a batch; SQL results as Arrow tables.
Must not know: how files are found or read.
"""
