"""One file inspected: its header, completeness, identity and JSON form.

In: a byte source. Out: an `Inspection`, and what derives from it: JSON, hashes, differences between two files.
Must not know: catalogs, vectors, how files are found.
"""
