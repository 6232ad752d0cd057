"""Programs for developers: the docs generator and the local pipeline."""
