"""Sequences of a catalog: frame ranges, gaps, damaged frames and outliers.

In: a catalog and a pattern. Out: one summary per sequence, or its outliers.
Must not know: the backend of the catalog, settings, how results are printed.
"""
