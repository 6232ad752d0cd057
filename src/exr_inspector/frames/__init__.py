"""Frame numbers and sequences, from file names alone.

In: a path or file name, or a list of frames. Out: sequence, frame and frame number; ranges, gaps and padding.
Must not know: files, headers, the catalog.
"""
