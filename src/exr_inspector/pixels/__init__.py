"""Pixel statistics: decoded samples in bounded memory, figures by channel, digests.

In: a `ByteSource` and a `PixelLimits`. Out: a `PixelReport`.
Must not know: inspections, the catalog, the command line. Needs the optional packages of the extra `pixels`.
"""
