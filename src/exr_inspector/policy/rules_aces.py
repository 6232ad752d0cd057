"""Rules 450 to 463: the ACES image container, as far as public sources describe it.

Sources: OpenEXR exr2aces, OpenImageIO exroutput.cpp, ampas/aces_container.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from ..exr.attributes import KeyCode
from ..inspection.json_form import shortest_single
from ..inspection.model import Inspection, PartFacts
from .gamuts import GAMUTS, chromaticities_of
from .rule import HEADER, OF_HEADER, Outcome, Parameters, Violation, file_rule, part_rule
from .standard_attributes import DEVICE_TEXTS

_SOURCE = "ST 2065-4 as in exr2aces, OpenImageIO and aces_container"
_FLAG = "acesImageContainerFlag"
_MONO = (frozenset("BGR"), frozenset("ABGR"))
_STEREO = tuple(names | {f"left.{name}" for name in names} for names in _MONO)
_SETS = (*_MONO, *_STEREO)
_ALL_NAMES = frozenset().union(*_SETS)
_TEXTS = (
    "cameraIdentifier", "cameraLabel", "lensAttributes", "comments", "creator", "owner", "reelName",
    "storageMediaSerialNumber", *DEVICE_TEXTS,
)  # fmt: skip
_REQUIRED = (
    _FLAG, "channels", "chromaticities", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio",
    "screenWindowCenter", "screenWindowWidth",
)  # fmt: skip
_KEY_CODE = {
    "filmMfcCode": (0, 99),
    "filmType": (0, 99),
    "prefix": (0, 999_999),
    "count": (0, 9_999),
    "perfOffset": (0, 119),
    "perfsPerFrame": (1, 15),
    "perfsPerCount": (20, 120),
}
_MAX_HEADER_BYTES = 1 << 20
_ALL = (HEADER, _FLAG, "type", "compression", "chromaticities", "lineOrder", "colorInteropID", *_TEXTS)


@part_rule(451, "error", _SOURCE, reads=(_FLAG,))
def aces_flag(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The flag is the integer 1."""
    flag = part.get(_FLAG)
    if not (isinstance(flag, int) and flag == 1):
        yield Violation("1", None if flag is None else str(flag), attr_name=_FLAG)


@file_rule(
    452,
    "error",
    _SOURCE,
    reads=(
        HEADER,
        "type",
    ),
)
def aces_part(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """The file has one part of scan lines, and no flags but that of long names."""
    flags, parts = inspection.flags, inspection.parts
    if len(parts) != 1 or flags.multipart:
        yield Violation("one part", f"{len(parts)} parts in a {'multi' if flags.multipart else 'single'}-part file")
    elif parts[0].part_type != "scanlineimage" or flags.tiled or flags.deep:
        yield Violation("a part of type scanlineimage", parts[0].part_type, part_index=0)


@part_rule(453, "error", _SOURCE, reads=())
def aces_channels(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The channels are B, G, R, with A and a left eye where there is one. The right eye has no prefix."""
    names = [channel[0] for channel in part.channels]
    if frozenset(names) not in _SETS:
        foreign = [name for name in names if name not in _ALL_NAMES]
        expected = "the channels B, G, R, or A, B, G, R (of a stereo file, also with the prefix left.)"
        yield Violation(expected, ", ".join(names), foreign[0] if len(foreign) == 1 else "")


@part_rule(454, "error", _SOURCE, reads=())
def aces_pixel_type(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Channels are HALF, sampled at every pixel, without the flag pLinear."""
    for name, channel_type, x, y, p_linear in part.channels:
        if channel_type != "HALF":
            yield Violation("channels of type HALF", channel_type or "unknown", name)
        elif x != 1 or y != 1:
            yield Violation("a sampling of 1×1", f"{x}×{y}", name)
        elif p_linear:
            yield Violation("the flag pLinear 0", str(p_linear), name)


@part_rule(455, "error", _SOURCE, reads=("compression",))
def aces_compression(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """There is no compression."""
    if part.compression != "NONE":
        yield Violation("the compression NONE", part.compression)


@part_rule(456, "error", _SOURCE, reads=("chromaticities",))
def aces_chromaticities(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The chromaticities are those of AP0, as 32-bit floats."""
    values = chromaticities_of(part)
    if values is None:
        yield Violation("the chromaticities of AP0", None, attr_name="chromaticities")
        return
    for point, given, known in zip(("red", "green", "blue", "white"), values, GAMUTS["AP0"], strict=True):
        for axis, value, expected in zip("xy", given, known, strict=True):
            if pack("<f", value) != pack("<f", expected) and not value == expected == 0:
                named, actual = f"a chromaticity {point} {axis} of {expected:g}", str(shortest_single(value))
                yield Violation(named, actual, attr_name="chromaticities")
                return


@part_rule(457, "error", _SOURCE, reads=("lineOrder",))
def aces_line_order(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Lines are in order."""
    if part.line_order not in ("INCREASING_Y", "DECREASING_Y"):
        yield Violation("the line order INCREASING_Y or DECREASING_Y", part.line_order, attr_name="lineOrder")


@part_rule(458, "error", _SOURCE, reads=_TEXTS)
def aces_empty_text(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Standard texts are not empty."""
    for name in _TEXTS:
        if part.get(name) == "":
            yield Violation("a string that is not empty", name, attr_name=name, text=f"the attribute {name} is empty")


@part_rule(459, "error", _SOURCE, reads=("colorInteropID",))
def aces_interop_id(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The color interop id, if there is one, is that of AP0."""
    interop_id = part.get("colorInteropID")
    if interop_id is not None and interop_id != "lin_ap0_scene":
        yield Violation("the color interop id lin_ap0_scene", str(interop_id), attr_name="colorInteropID")


@part_rule(460, "error", _SOURCE, reads=())
def aces_required(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """All required attributes are there."""
    for name in _REQUIRED:
        if name not in part:
            yield Violation(name, None, attr_name=name)


@file_rule(461, "error", _SOURCE, reads=OF_HEADER)
def aces_header_size(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """The header has at most 1 MiB."""
    if inspection.file.header_bytes > _MAX_HEADER_BYTES:
        yield Violation(f"a header of at most {_MAX_HEADER_BYTES} bytes", str(inspection.file.header_bytes))


@part_rule(462, "warning", "OpenEXR: Multi-View; ST 2065-4 has the right eye without a prefix", reads=("multiView",))
def aces_stereo(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """With channels of the left eye, `multiView` is right, left."""
    if not any(channel[0].startswith("left.") for channel in part.channels):
        return
    views = part.get("multiView")
    names = ", ".join(map(str, views)) if isinstance(views, tuple | list) else None
    if names != "right, left":
        yield Violation("right, left", names, attr_name="multiView")


@part_rule(463, "warning", "OpenEXR: Standard Attributes; SMPTE 254", reads=("keyCode",))
def aces_keycode(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The numbers of the key code are in range."""
    code = part.get("keyCode")
    if isinstance(code, KeyCode):
        for name, (least, most) in _KEY_CODE.items():
            if not least <= (value := getattr(code, name)) <= most:
                yield Violation(f"{name} from {least} to {most}", str(value), attr_name="keyCode")


_OF_PARTS = (
    aces_channels, aces_pixel_type, aces_compression, aces_chromaticities, aces_line_order, aces_empty_text,
    aces_interop_id,
)  # fmt: skip


def _outcomes(inspection: Inspection, given: Parameters) -> Iterator[Outcome]:
    yield from aces_part(inspection, given)
    yield from aces_header_size(inspection, given)
    for part in inspection.parts:
        for check in _OF_PARTS:
            yield from check(part, given)


@file_rule(450, "error", "AcademySoftwareFoundation/OpenImageIO#4791", reads=_ALL, if_attribute=_FLAG)
def aces_flag_untrue(inspection: Inspection, given: Parameters) -> Iterator[Outcome]:
    """A file whose flag is 1 is a container; the first reason against it is reported."""
    for part in inspection.parts:
        if part.get(_FLAG) == 1:
            first = next(_outcomes(inspection, given), None)
            if isinstance(first, Violation):
                text = first.text and f"expected an ACES container, but {first.text}"
                expected = f"an ACES container with {first.expected}"
                yield first._replace(expected=expected, text=text, part_index=part.part_index)
            return
