"""Sequences of a catalog: ranges, gaps, damaged frames and outliers.

In: a catalog and a pattern. Out: one summary per sequence.
Must not know: which backend the catalog has, how results are printed.
"""
