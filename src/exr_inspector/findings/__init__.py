"""What is wrong with files and sequences, as findings of rules with stable identifiers, and their output formats.

Facts of files and sequences go in; findings, grouped by sequence and frame range, and documents for build servers come
out. Knows nothing of catalogs, or of how the facts were obtained.
"""
