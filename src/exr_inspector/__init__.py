"""exr-inspector reads OpenEXR headers without loss, checks files and catalogs them."""

__version__ = "0.1.0"
