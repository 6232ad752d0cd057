"""The format of a file that is not EXR, detected from its first bytes."""

from __future__ import annotations

# First bytes and name; the longer signature first where one is a prefix of another.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG signature"),
    (b"\xff\xd8\xff", "JPEG signature"),
    (b"II*\0", "TIFF signature"),
    (b"MM\0*", "TIFF signature"),
    (b"II+\0", "BigTIFF signature"),
    (b"MM\0+", "BigTIFF signature"),
    (b"SDPX", "DPX signature"),
    (b"XPDS", "DPX signature"),
    (b"\x80\x2a\x5f\xd7", "Cineon signature"),
    (b"8BPS", "Photoshop signature"),
    (b"#?RADIANCE", "Radiance HDR signature"),
    (b"#?RGBE", "Radiance HDR signature"),
    (b"GIF8", "GIF signature"),
    (b"BM", "BMP signature"),
    (b"RIFF", "RIFF signature"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000 signature"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip stream"),
    (b"%PDF", "PDF document"),
    (b"<", "text starting with '<' (HTML or XML)"),
    (b"{", "text starting with '{' (JSON)"),
    (b"\x01\x31\x2f\x76", "EXR magic number in reversed byte order"),
)


def name_format(data: bytes) -> str:
    """The detected format, as the end of the message "not an EXR file: …"."""
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return name
    if not data.strip(b"\0"):
        return f"all {len(data)} bytes read are zero"
    return f"it starts with the bytes {data[:4].hex(' ')}"
