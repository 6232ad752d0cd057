"""Inspections and their differences as rich renderables. Text from files is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from ..cryptomatte import Cryptomatte, cryptomattes, file_channels
from ..exr import Attribute, Channel, Problem, split_name
from ..inspection.model import Inspection, PartFacts
from ..inspection.value_text import plural, sampled_type, value_text, whole_text
from .listing import Column, Listing
from .text import clean

_STATUS_STYLES = {"complete": "green", "unknown": "yellow"}
_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": ""}
_SHOWN_ABOVE = frozenset(
    {"channels", "compression", "dataWindow", "displayWindow", "lineOrder", "tiles", "type", "name", "view"}
)
# Groups of the standard attributes, after the OpenEXR documentation; other attributes are grouped by their prefix.
_GROUPS = {
    "image": "pixelAspectRatio screenWindowCenter screenWindowWidth chunkCount version preview envmap wrapmodes "
    "multiView xDensity dwaCompressionLevel deepImageState maxSamplesPerPixel",
    "color": "chromaticities whiteLuminance adoptedNeutral colorInteropID renderingTransform lookModTransform",
    "camera": "worldToCamera worldToNDC cameraModel cameraMake cameraSerialNumber lensModel focus focalLength "
    "nominalFocalLength aperture expTime isoSpeed shutterAngle tStop pinholeFocalLength effectiveFocalLength",
    "time": "framesPerSecond timeCode keyCode capDate utcOffset frame imageCounter",
    "origin": "owner comments software longitude latitude altitude reelName",
}
TABLE_COLUMNS = ("file", "status", "size", "type", "compression", "channels", "missing")
_NUMBERS = ("channels", "nan", "inf", "negative")
_OPTIONAL_COLUMNS = ("size", "type", "compression", "channels")  # the last one is left out first on a narrow terminal
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}


def inspection_page(inspection: Inspection, width: int, *, full: bool = False) -> list[Text]:
    """One file in full: completeness, then each part with its channels, Cryptomattes and attributes, then problems.

    Values are cut to the width, unless `full`.
    """
    file, parts = inspection.file, inspection.parts
    lines = [_headline(inspection), Text(f"  {_summary(inspection)}")]
    if file.sequence:
        lines.append(Text(f"  frame {file.frame} of {clean(file.sequence.rpartition('/')[2])}"))
    channels = file_channels(parts)
    for part in parts:
        lines += _part_lines(part, channels, len(parts) > 1, width, full)
    if inspection.problems:
        lines += [Text(""), Text("problems", style=_SEVERITY_STYLES[inspection.problem_severity])]
        lines += [_problem_line(problem, len(parts)) for problem in inspection.problems]
    return lines


def _headline(inspection: Inspection) -> Text:
    status = inspection.file.status
    shown = "complete, but its header is invalid" if status == "invalid" else status
    line = Text(clean(inspection.file.file_path), style="bold")
    line.append(f"  {shown}", style=_STATUS_STYLES.get(status, "bold red"))
    return line


def _summary(inspection: Inspection) -> str:
    file = inspection.file
    items = [f"{file.size_bytes:,} bytes, header {file.header_bytes:,}"]
    if file.chunk_count is not None and file.chunks_present is not None:
        are_all = file.chunks_checked >= file.chunks_present
        checked = "" if are_all else f" (leaders of {file.chunks_checked:,} checked)"
        items.append(f"{file.chunks_present:,} of {file.chunk_count:,} chunks{checked}")
    items.append(f"{file.multipart_count} {plural(file.multipart_count, 'part')}")
    items.append(f"{file.channel_count} {plural(file.channel_count, 'channel')}")
    return ", ".join(items)


def _problem_line(problem: Problem, parts: int) -> Text:
    part = f"part {problem.part_index}: " if problem.part_index is not None and parts > 1 else ""
    severity = f"{problem.severity:<7}", _SEVERITY_STYLES[problem.severity]
    return Text.assemble("  ", severity, f"  {clean(f'{part}{problem.message} ({problem.code})')}")


def _part_lines(
    part: PartFacts, file_channels: Sequence[Channel], multipart: bool, width: int, full: bool
) -> list[Text]:
    title = f"part {part.part_index}" if multipart else "image"
    names = "  ".join(clean(name) for name in (part.part_name, part.view_name and f"view {part.view_name}") if name)
    lines = [Text(""), Text.assemble((title, "bold"), f"  {names}" if names else "")]
    lines.append(
        Text(
            f"  {clean(part.part_type or 'unknown type', 60)}, {part.compression or 'unknown compression'}, "
            f"{part.line_order or 'unknown line order'}{_tiles(part)}"
        )
    )
    lines.append(Text(f"  {_windows(part)}"))
    if part.missing:
        lines.append(Text(f"  missing: {part.missing}", style="bold red"))
    lines += _channel_lines(part, width)
    lines += _cryptomatte_lines(cryptomattes(part.attributes, file_channels), width)
    lines += _attribute_lines(part, width, full)
    return lines


def _tiles(part: PartFacts) -> str:
    if not part.is_tiled:
        return ""
    levels = "" if part.level_mode == "ONE_LEVEL" else f", {part.level_mode} {part.rounding_mode}"
    return f", tiles {part.tile_width}×{part.tile_height}{levels}"


def _windows(part: PartFacts) -> str:
    if part.data_window == part.display_window:
        return f"{part.width}×{part.height}, data and display window {part.data_window}"
    return (
        f"data {part.width}×{part.height} {part.data_window}, "
        f"display {part.display_width}×{part.display_height} {part.display_window}"
    )


def _channel_lines(part: PartFacts, width: int) -> list[Text]:
    """One line per layer and pixel type, with its components; subsampled channels with their sampling."""
    layers: dict[tuple[str, str], list[str]] = {}
    for channel in part.channels:
        layer, component = split_name(channel.channel_name)
        layers.setdefault((layer, sampled_type(channel)), []).append(component)
    name_width = min(max((len(layer) for layer, _ in layers), default=0), width // 2)
    lines = [Text(f"  channels ({len(part.channels)})", style="bold")]
    for (layer, kind), components in layers.items():
        names = " ".join(_sorted_components(components))
        lines.append(Text(clean(f"    {layer or '-':<{max(name_width, 1)}}  {kind:<5}  {names}", width)))
    return lines


def _sorted_components(components: list[str]) -> list[str]:
    """R G B A and X Y Z first, in this order; the others as in the file."""
    rank = {name: index for index, name in enumerate("RGBArgbaXYZxyz")}
    return sorted(components, key=lambda name: rank.get(name, 99))


def _cryptomatte_lines(mattes: Sequence[Cryptomatte], width: int) -> list[Text]:
    """One line per Cryptomatte: its layers and ranks, and its manifest or the error in it."""
    if not mattes:
        return []
    lines = [Text(f"  cryptomattes ({len(mattes)})", style="bold")]
    for matte in mattes:
        layers = f"{len(matte.layers)} {plural(len(matte.layers), 'layer')}, {matte.ranks} ranks"
        text = f"    {matte.name or matte.key}  {layers}, {_manifest_text(matte)}"
        lines.append(Text(clean(text, width), style="yellow" if matte.manifest_error else ""))
    return lines


def _manifest_text(matte: Cryptomatte) -> str:
    if matte.manifest_error is not None:
        return matte.manifest_error
    if matte.object_count is not None:
        return f"{matte.object_count:,} {plural(matte.object_count, 'object')}"
    return "no manifest" if matte.manif_file is None else f"manifest in {matte.manif_file}"


def _attribute_lines(part: PartFacts, width: int, full: bool) -> list[Text]:
    groups: dict[str, list[Attribute]] = {}
    for attribute in part.attributes:
        if attribute.attr_name not in _SHOWN_ABOVE:
            groups.setdefault(_group(attribute.attr_name), []).append(attribute)
    order = {group: index for index, group in enumerate(_GROUPS)}
    lines = [Text(f"  attributes ({len(part.attributes)})", style="bold")]
    for group in sorted(groups, key=lambda name: (order.get(name, len(order)), name)):
        lines.append(Text(f"    {group}", style="dim"))
        names = [_short_name(attribute.attr_name, group) for attribute in groups[group]]
        name_width = min(max(map(len, names)), width // 3)
        for name, attribute in zip(names, groups[group], strict=True):
            shown = whole_text(attribute) if full else _attribute_text(attribute)
            value = clean(shown, 0 if full else max(width - name_width - 10, 20))
            lines.append(Text(f"      {clean(name):<{name_width}}  {value}"))
    return lines


def _group(name: str) -> str:
    if name in _GROUP_OF:
        return _GROUP_OF[name]
    prefix = re.match(r"[^/:]+[/:]", name)
    return clean(prefix[0]) if prefix else "other"


def _short_name(name: str, group: str) -> str:
    return name.removeprefix(group) or name if group[-1:] in "/:" else name


def _attribute_text(attribute: Attribute) -> str:
    """The value in one line; of a long text the beginning."""
    if attribute.attr_type == "string" and attribute.value is not None and attribute.size_bytes > 200:
        return f"{attribute.value[:60]}… ({attribute.size_bytes:,} bytes)"
    return value_text(attribute)


def inspection_table(
    rows: Sequence[tuple[str, ...]],
    columns: Sequence[str] | None = None,
    known: Sequence[str] = TABLE_COLUMNS,
) -> Listing:
    """One line per file, with these of the `known` columns, whose cells are in the rows."""
    table = {
        name: Column(
            name=name,
            cells=(cells := [row[index] for row in rows]),
            styles=[_STATUS_STYLES.get(cell, "bold red") for cell in cells] if name == "status" else (),
            is_path=name == "file",
            is_number=name in _NUMBERS,
            is_optional=columns is None and name in _OPTIONAL_COLUMNS,
            is_hidden=columns is None and not any(cells),  # `missing` if no file is damaged
        )
        for index, name in enumerate(known)
    }
    return Listing(columns=[table[name] for name in columns or table])


def table_row(inspection: Inspection) -> tuple[str, ...]:
    """The cells of one file, in the order of TABLE_COLUMNS."""
    file, parts = inspection.file, inspection.parts
    first = parts[0] if parts else None
    return (
        clean(file.file_path),
        file.status,
        f"{first.width}×{first.height}" if first and first.data_window else "?",
        clean(_joined([(p.part_type or "?").removesuffix("image") for p in parts])),
        _joined([p.compression or "?" for p in parts]),
        str(file.channel_count),
        "; ".join(p.missing for p in parts if p.missing),
    )


def _joined(values: Sequence[str]) -> str:
    """The value of each part; equal values once, with the number of parts."""
    return (f"{len(values)} × " if len(values) > 1 else "") + "/".join(dict.fromkeys(values))
