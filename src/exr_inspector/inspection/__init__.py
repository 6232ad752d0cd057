"""The inspection of one file: header, completeness, identity, JSON form.

In: a byte source. Out: an `Inspection`, its JSON, hashes, and the differences between two inspections.
Must not know: catalogs, vectors, how files are listed.
"""
