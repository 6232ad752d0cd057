"""Similarity search, and vectors computed again from catalog rows.

In: a file or its vectors, and a catalog. Out: the most similar files and what they differ in.
Must not know: how files are found, how results are printed.
"""
