"""Rules about pixels find their faults in the statistics of decoded files, and nothing in good ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from struct import pack
from typing import Any

import pytest

from exr_inspector import Inspection, inspect
from exr_inspector.inspection.pixel_rows import pending_report
from exr_inspector.policy.registry import RULES
from tests.policy.test_rules import channels, verdict
from tests.support import exr_writer as w
from tests.support.pixels import statistics_of

WIDTH = 4
RAMP = (0.25, 0.5, 0.75, 1.0)
NAN, INFINITY = float("nan"), float("inf")


def decoded(rows: Mapping[str, tuple[float, ...]], **given: Any) -> Inspection:
    """A file with these values in each line of its channels, and its statistics."""
    names = sorted(rows)
    line = b"".join(pack(f"<{WIDTH}f", *rows[name]) for name in names)
    return measured(channels=channels(*names, kind=w.FLOAT), pixels=line, **given)


def measured(**given: Any) -> Inspection:
    data = w.build(w.part(**{"width": WIDTH, "height": 2, **given})).data
    return replace(inspect(data, name="/show/a.1001.exr"), pixels=statistics_of(data))


def lines(*samples: bytes) -> Inspection:
    """A file whose lines have one value each."""
    values = iter(samples)
    return measured(width=8, height=len(samples), pixels=lambda size: next(values) * (size // 2))


def color(**changed: tuple[float, ...]) -> Inspection:
    return decoded({**dict.fromkeys("RGB", RAMP), **changed})


GOOD = color(A=RAMP)
CASES = {
    "nan": (color(G=(NAN, 0, 0, 1)), {}, "G", "NaN"),
    "infinity": (color(R=(-INFINITY, 0, 0, 1), Z=(INFINITY, 1, 1, 1)), {}, "R", "infinity"),
    "infinity, Z of a vector": (
        color(**{"left.Z": (INFINITY, 1, 1, 1), "N.X": RAMP, "N.Z": (INFINITY, 1, 1, 1)}),
        {},
        "N.Z",
        "infinity",
    ),
    "infinity, depth of field": (color(depth_of_field_mask=(INFINITY, 1, 1, 1)), {}, "depth_of_field_mask", "infinity"),
    "negative-color": (color(B=(-0.5, 0, 0, 1), depth=(-1, 0, 0, 1)), {}, "B", "negative"),
    "black-frame": (measured(), {}, "", "black"),
    "constant-frame": (decoded(dict.fromkeys("RGB", (0.5,) * WIDTH)), {}, "", "one color"),
    "value-limit": (color(R=(9.0, 0, 0, 1)), {"limit": 8}, "R", "larger"),
    "value-limit, largest": (
        measured(pixels=pack("<e", 65504) + bytes(2 * 3 * WIDTH - 2)),
        {},
        "B",
        "larger",
    ),
    "alpha-range": (color(A=(1.5, 0, 0, 1)), {}, "A", "above 1"),
    "samples-per-pixel": (measured(deep=True), {"max": 0}, "", "more"),
    "unrendered-region": (lines(*[b"\x00\x3c"] * 8, *[bytes(2)] * 8, *[b"\x00\x3c"] * 8), {}, "", "empty regions"),
    "undecodable-chunks": (measured(compression=2, pixels=b"\xff" * 10), {}, "", "damaged"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_finds_its_fault_and_nothing_else(name):
    """The first word of a case is the rule."""
    inspection, parameters, channel, actual = CASES[name]
    rule = name.partition(",")[0]
    found = verdict(inspection, rule, parameters)
    assert [(each.rule_name, each.channel_name, each.actual, each.part_index) for each in found.findings] == [
        (rule, channel, actual, 0)
    ]
    good = verdict(GOOD, rule, parameters)
    assert (good.findings, good.not_evaluated) == ((), ())


def test_every_rule_about_pixels_has_a_case():
    rules = {rule.name for rule in RULES.values() if rule.scope == "pixels"}
    assert {name.partition(",")[0] for name in CASES} == rules


@pytest.mark.parametrize("rule", [rule.name for rule in RULES.values() if rule.scope == "pixels"])
def test_rules_are_not_evaluated_without_statistics(rule):
    """Nor if pixels are still to be decoded."""
    pending = replace(GOOD, pixels=pending_report(GOOD.file, GOOD.parts, "no time left"))
    for inspection, reason in (
        (replace(GOOD, pixels=None), "no statistics of pixels"),
        (pending, "not all pixels were decoded"),
    ):
        found = verdict(inspection, rule)
        assert found.findings == ()
        assert [each.reason for each in found.not_evaluated] == [reason]
