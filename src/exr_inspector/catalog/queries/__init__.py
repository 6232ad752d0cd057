"""Named queries: one .sql file each, with its question and parameters in a comment at the head.

In: a query name and parameter texts. Out: bound SQL and its result from a catalog.
Must not know: which backend the catalog has, how results are printed.
"""
