"""Findings about problems of the reader: the reader decides, the finding adds channels and values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..exr import Problem
from ..exr.attributes import Box2i
from ..exr.channels import MAX_FAULTS, SHORT_NAME_BYTES, ChannelList
from ..exr.checks import sampling_faults
from ..findings import files
from ..findings.model import Finding
from ..inspection.model import Inspection, PartFacts


def problem_findings(inspection: Inspection, pattern: str) -> Iterator[Finding]:
    """The findings of all problems, and that of a file that is not complete."""
    file = inspection.file
    if file.completeness != "complete":
        missing = "; ".join(part.missing for part in inspection.parts if part.missing)
        chunks = files.chunk_counts(file.chunks_present, file.chunk_count, missing)
        yield files.not_whole(pattern, file.completeness, chunks)
    groups: dict[tuple[str, int | None], list[Problem]] = defaultdict(list)
    for problem in inspection.problems:
        groups[problem.code, problem.part_index].append(problem)
    for (code, part_index), problems in groups.items():
        describe = _DESCRIBED.get(code)
        part = None if part_index is None else inspection.parts[part_index]
        findings = [_finding(pattern, problem) for problem in problems]
        if describe is None or part is None:
            yield from findings
        else:
            yield from describe(part, findings)


def _finding(pattern: str, problem: Problem) -> Finding:
    found = files.problem(
        pattern,
        code=problem.code,
        severity=problem.severity,
        message=problem.message,
        part_index=problem.part_index,
        attr_name=problem.attr_name,
    )
    return replace(found, actual=problem.code)


def _samplings(part: PartFacts, findings: list[Finding]) -> Iterator[Finding]:
    window, channels = part.get("dataWindow"), part.channels
    if not isinstance(channels, ChannelList):
        yield from findings
        return
    box = window if isinstance(window, Box2i) else None
    faults = sampling_faults(channels, box, is_tiled=part.is_tiled, is_deep=part.is_deep)
    for finding, fault in zip(findings, faults, strict=False):
        yield replace(finding, channel_name=fault.channel_name, expected=fault.expected, actual=fault.actual)


def _long_names(part: PartFacts, findings: list[Finding]) -> Iterator[Finding]:
    long = [name for name, *_ in part.channels if len(name.encode()) > SHORT_NAME_BYTES]
    expected = f"at most {SHORT_NAME_BYTES} bytes"
    of_channels = [finding for finding in findings if finding.attr_name == "channels"]
    yield from (replace(finding, expected=expected) for finding in findings if finding.attr_name != "channels")
    yield from of_channels[MAX_FAULTS:]  # the number of the others
    for finding, name in zip(of_channels[:MAX_FAULTS], long, strict=False):
        yield replace(finding, channel_name=name, expected=expected, actual=str(len(name.encode())))


def _disagreements(_: PartFacts, findings: list[Finding]) -> Iterator[Finding]:
    names = ", ".join(sorted({finding.attr_name for finding in findings}))
    first = findings[0]
    message = f"part {first.part_index}: {names} differ from part 0; expected the same in all parts ({first.actual})"
    attr_name = first.attr_name if len(findings) == 1 else ""
    yield replace(first, message=message, actual=names, attr_name=attr_name)


def _value(text: Callable[[PartFacts], str]) -> Callable[[PartFacts, list[Finding]], Iterator[Finding]]:
    def describe(part: PartFacts, findings: list[Finding]) -> Iterator[Finding]:
        yield from (replace(finding, actual=text(part)) for finding in findings)

    return describe


OF_WINDOWS = frozenset({"bad_sampling"})  # problems whose findings depend on the data window
_DESCRIBED: dict[str, Callable[[PartFacts, list[Finding]], Iterator[Finding]]] = {
    "bad_sampling": _samplings,
    "long_name": _long_names,
    "parts_disagree": _disagreements,
    "bad_line_order": _value(lambda part: part.line_order or ""),
    "bad_pixel_aspect_ratio": _value(lambda part: str(part.get("pixelAspectRatio"))),
    "bad_screen_window": _value(lambda part: str(part.get("screenWindowWidth"))),
    "deep_compression": _value(lambda part: part.compression or ""),
    "no_channels": _value(lambda part: str(len(part.channels))),
}
