"""Rules read no more than they declare: from a catalog, files that agree in it share a verdict."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest

from exr_inspector.catalog.cells import cells_of
from exr_inspector.frames.names import parse_name
from exr_inspector.inspection.model import Inspection, PartFacts
from exr_inspector.policy.compile import RuleSet, compile_policy
from exr_inspector.policy.registry import RULES
from exr_inspector.policy.rule import FILE, HEADER, STRINGS, matcher
from tests.policy.test_rules import CASES, Case
from tests.support.policies import parse_policy

_WINDOW = ("width", "height", "data_x_offset", "data_y_offset", "data_window")
_TILES = ("tile_width", "tile_height", "level_mode", "rounding_mode")
# Of columns of parts, the attributes that decide them; those that the structure decides are not among them.
ATTRIBUTES_OF = {
    **dict.fromkeys(_WINDOW, ("dataWindow",)),
    **dict.fromkeys(("display_width", "display_height", "display_window"), ("displayWindow",)),
    **dict.fromkeys(_TILES, ("tiles",)),
    **dict.fromkeys(("render_software", "renderer"), (HEADER,)),
    **dict.fromkeys(("chunk_count", "chunks_present", "missing", "packed_bytes"), (FILE,)),
    "part_name": ("name",),
    "part_type": ("type",),
    "view_name": ("view",),
    "pixel_aspect_ratio": ("pixelAspectRatio",),
    "line_order": ("lineOrder",),
    "compression": ("compression",),
    "chromaticities": ("chromaticities",),
    "frames_per_second": ("framesPerSecond",),
    "timecode": ("timeCode",),
}
OF_STRUCTURE = ("version_flags", "multipart_count", "is_deep", "is_tiled", "channel_count")


class RecordedAttribute:
    """An attribute that records that its value is read."""

    def __init__(self, attribute: Any, log: set[str]) -> None:
        self._attribute, self._log = attribute, log

    def __getattr__(self, name: str) -> Any:
        if name not in ("attr_name", "attr_type"):
            self._log.add(self._attribute.attr_name)
        return getattr(self._attribute, name)


class RecordedPart(PartFacts):
    """A part that records which values are read."""

    def __getattribute__(self, name: str) -> Any:
        part, log = (object.__getattribute__(self, "__dict__").get(each) for each in ("of", "log"))
        if name == "attributes":
            return tuple(RecordedAttribute(attribute, log) for attribute in part.attributes)
        log.update(ATTRIBUTES_OF.get(name, ()))
        return object.__getattribute__(self, name)

    def __getitem__(self, attr_name: str) -> Any:
        object.__getattribute__(self, "log").add(attr_name)
        return object.__getattribute__(self, "of")[attr_name]

    def get(self, attr_name: str, default: Any = None) -> Any:
        object.__getattribute__(self, "log").add(attr_name)
        return object.__getattribute__(self, "of").get(attr_name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(object.__getattribute__(self, "of"))

    def __contains__(self, attr_name: object) -> bool:
        return attr_name in object.__getattribute__(self, "of")


class RecordedFile:
    """A file that records what is read of it."""

    def __init__(self, file: Any, log: set[str]) -> None:
        self._file, self._log = file, log

    def __getattr__(self, name: str) -> Any:
        if name not in OF_STRUCTURE:
            self._log.add(HEADER if name == "header_bytes" else FILE)
        return getattr(self._file, name)


def recorded(inspection: Inspection, log: set[str]) -> Inspection:
    parts = []
    for part in inspection.parts:
        copy = object.__new__(RecordedPart)
        object.__getattribute__(copy, "__dict__").update(part.__dict__, of=part, log=log)
        parts.append(copy)
    return replace(inspection, file=RecordedFile(inspection.file, log), parts=tuple(parts))


@cache
def rules_of(rule_id: str, parameters: str) -> RuleSet:
    policy = {"policy": "test", "version": "1", "select": [rule_id], "rules": {rule_id: json.loads(parameters) or {}}}
    return compile_policy(parse_policy("test.yaml", json.dumps(policy).encode())).rules_for()


def values_of(inspection: Inspection) -> dict[tuple[int, str], str]:
    """The values of attributes as a catalog stores them."""
    return {
        (part.part_index, attribute.attr_name): repr(cells_of(attribute))
        for part in inspection.parts
        for attribute in part.attributes
    }


def strings(part: PartFacts) -> set[str]:
    return {attribute.attr_name for attribute in part.attributes if attribute.attr_type == "string"}


def structure(inspection: Inspection) -> Any:
    """What is decided for all files with one structure at once."""
    parts = [
        ([(attribute.attr_name, attribute.attr_type) for attribute in part.attributes], tuple(part.channels))
        for part in inspection.parts
    ]
    return inspection.flags, parts


OF_HEADERS = [case for case in CASES if RULES[case.rule].scope in ("file", "part")]


@pytest.mark.parametrize("case", OF_HEADERS, ids=lambda case: case.rule)
def test_a_rule_reads_what_it_declares(case: Case):
    reads = RULES[case.rule].reads
    rules = rules_of(case.rule, json.dumps(case.parameters))
    for inspection in (case.good, case.bad):
        log: set[str] = set()
        of_file = recorded(inspection, log)
        for check in rules.file_checks:
            list(check[1](of_file, check[2]))
        for part in of_file.parts:
            for check in rules.part_checks:
                list(check[1](part, check[2]))
        if reads is None or FILE in reads:
            continue
        free = {"channels"}.union(*(strings(part) for part in inspection.parts) if STRINGS in reads else ())
        assert {name for name in log - free if not matcher(reads)(name)} == set()


# Cases whose files differ in the values of attributes alone.
OF_VALUES = [
    case
    for case in OF_HEADERS
    if (reads := RULES[case.rule].reads)
    and not {FILE, HEADER, STRINGS}.intersection(reads)
    and structure(case.good) == structure(case.bad)
]


@pytest.mark.parametrize("case", OF_VALUES, ids=lambda case: case.rule)
def test_what_a_rule_declares_decides_its_case(case: Case):
    """The good and the bad file differ in it."""
    reads = RULES[case.rule].reads or ()
    good, bad = values_of(case.good), values_of(case.bad)
    assert any(matcher(reads)(name) for part, name in good if good[part, name] != bad[part, name])


# Names with a frame number in many places, of which rules forbid some, and pairs of frames of one form.
FOLDERS = ["a_v003", "sh0420", "Show 2026-01-01", "q\u0301"]
NAMES = ["a_v003.{}.exr", "A v1.{}.EXR", "sh{}.exr", "Ä_{}_cam2.exr", "e\u0301-{}.exr", f"{'x' * 250}.{{}}.exr"]
FRAMES = [("0", "7"), ("1001", "2938"), ("0420", "0421"), ("-05", "-91"), ("1001.25", "2399.71"), ("0012", "9999")]


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.scope == "name"], ids=lambda rule: rule.name)
def test_digits_decide_no_more_of_a_rule_about_names_than_it_declares(rule):
    """From a catalog, it is evaluated once for all names that differ in the digits of the frame only."""
    given = {"name-template": {"template": "{shot:a*}.{frame:1*}.exr"}}.get(rule.name, {})
    (check,) = rules_of(rule.rule_id, json.dumps(given)).name_checks
    declared = rule.digits(check[2]) if callable(rule.digits) else rule.digits
    differ = "nothing"
    for folder, name, frames in itertools.product(FOLDERS, NAMES, FRAMES):
        files = [of_name(f"/show/{folder}/{name.format(frame)}") for frame in frames]
        if len({file.sequence for file in files}) == 1 and files[0].sequence:
            first, other = (list(check[1](file, check[2])) for file in files)
            if bool(first) != bool(other):
                differ = "anything"
            elif first != other and differ == "nothing":
                differ = "texts"
    assert differ == declared


def test_digits_that_a_rule_forbids_decide_it():
    (check,) = rules_of("EXR502", '{"allowed": "a.exr0123"}').name_checks
    assert check[0].rule.digits(check[2]) == "anything"


class Name(NamedTuple):
    file_path: str
    file_path_normalized: str
    sequence: str | None
    frame: str | None


def of_name(path: str) -> Name:
    parsed = parse_name(path)
    return Name(path, f"file://{path}", parsed and parsed.sequence, parsed and parsed.frame)
