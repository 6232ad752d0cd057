"""The catalog in a DuckDB file.

In: Arrow tables of inspections. Out: rows, one transaction per batch; SQL results as Arrow tables.
Must not know: how files are discovered or read.
"""
