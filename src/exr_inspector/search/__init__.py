"""Similarity search over headers, and vectors recomputed from catalog rows.

In: a catalog, and a file or nothing. Out: the most similar files, or new vectors in the catalog.
Must not know: how files are listed, where settings come from, how results are printed.
"""
