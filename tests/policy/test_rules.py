"""Every rule finds its fault in a bad file, and nothing in a good one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from struct import pack
from typing import Any, NamedTuple

import pytest

from exr_inspector import Inspection, compiled_policy, inspect, validate
from exr_inspector.errors import PolicyError
from exr_inspector.exr.attributes import COMPRESSIONS
from exr_inspector.exr.part import PART_TYPES
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.evaluate import Verdict, evaluate
from exr_inspector.policy.gamuts import GAMUTS
from exr_inspector.policy.registry import RULES
from tests.support import exr_writer as w
from tests.support.policies import parse_policy

HALF, FLOAT, UINT = w.HALF, w.FLOAT, w.UINT
ZIPS, B44, DWAA, PXR24, HTJ2K32, LJ2K = 2, 6, 8, 5, 11, 12
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
NAME = "xyz_010_comp_v003.1001.exr"


def verdict(inspection: Inspection, rule: str, parameters: Mapping[str, Any] | None = None) -> Verdict:
    """That of a policy with one rule."""
    policy = {"policy": "test", "version": "1", "select": [rule], "rules": {rule: parameters or {}}}
    return evaluate(compile_policy(parse_policy("test.yaml", json.dumps(policy).encode())), inspection)


def file(*parts: w.Part, name: str = NAME, flags: int | None = None) -> Inspection:
    return inspect(w.build(parts[0] if len(parts) == 1 else parts, flags=flags).data, name=name)


def channels(*names: str, kind: int = HALF) -> list[w.Channel]:
    return [(name, kind, 1, 1, 0) for name in names]


def flat(*extra: bytes, **given: Any) -> Inspection:
    """A file of one part with more attributes."""
    return file(w.part(extra=extra, **given))


def named(name: str) -> Inspection:
    return file(w.part(), name=name)


def of_channels(*names: str, kind: int = HALF, **given: Any) -> Inspection:
    return file(w.part(channels=channels(*names, kind=kind), **given))


def parts(*given: Mapping[str, Any]) -> Inspection:
    return file(*(w.part(name=f"part{number}", **each) for number, each in enumerate(given)))


def chromaticities(*numbers: float) -> bytes:
    return w.fixed("chromaticities", "chromaticities", *numbers)


def rate(numerator: int, denominator: int) -> bytes:
    return w.fixed("framesPerSecond", "rational", numerator, denominator)


def code(*numbers: int, drop: bool = False) -> bytes:
    return w.attribute("timeCode", "timecode", w.timecode(*numbers, drop=drop))


def aces(*extra: bytes, flag: int = 1, **given: Any) -> Inspection:
    return flat(chromaticities(*AP0), w.fixed("acesImageContainerFlag", "int", flag), *extra, **given)


def broken(name: str, raw: bytes) -> Inspection:
    """A file with other bytes for a required attribute."""
    return file(w.part(replace={name: raw}))


def subsampled(name: str = "BY") -> list[w.Channel]:
    return [(name, HALF, 2, 2, 0), ("Y", HALF, 1, 1, 0)]


class Case(NamedTuple):
    """A rule, the actual value in a bad file, the bad file, a good one, and parameters."""

    rule: str
    actual: str
    bad: Inspection
    good: Inspection
    parameters: Mapping[str, Any] = {}


def stereo(*names: str, views: Sequence[str] = ("left", "right")) -> Inspection:
    """A part with several views, the first of which has no prefix."""
    return flat(w.attribute("multiView", "stringvector", w.stringvector(views)), channels=channels(*names))


def key_code(perforations: int) -> bytes:
    return w.fixed("keyCode", "keycode", 1, 2, 3, 4, 5, perforations, 64)


GOOD = flat()
ARNOLD = w.text("arnold/version", "7.4.0")
MATRICES = [w.fixed(name, "m44f", *[0.0] * 16) for name in ("worldToCamera", "worldToNDC")]
LONG = "n" * 40
FIRST_CHUNK = w.build(w.part()).chunks[0][1]
TEXTS = [w.text("owner", "someone"), w.text("reelName", "A001")]
INFINITE = pack("<f", float("inf"))
CASES = [
    Case("EXR102", "truncated", inspect(w.build(w.part()).data[:-1], name=NAME), GOOD),
    Case("EXR103", "unknown", broken("compression", w.fixed("compression", "compression", 99)), GOOD),
    Case("EXR104", "missing_attribute", file(w.part(replace={"lineOrder": None})), GOOD),
    Case("EXR105", "attribute_size", flat(w.attribute("focus", "float", b"\0")), flat(w.fixed("focus", "float", 1))),
    Case("EXR106", "unknown_type", flat(w.attribute("a", "studioType", b"\0")), GOOD),
    Case("EXR107", "duplicate_attribute", flat(*[w.fixed("focus", "float", 1)] * 2), GOOD),
    Case("EXR108", "flags_type_mismatch", flat(w.text("type", "tiledimage")), flat(w.text("type", "scanlineimage"))),
    Case("EXR109", "40", of_channels(LONG), file(w.part(channels=channels(LONG)), flags=w.LONG_NAMES)),
    Case("EXR110", "text_encoding", flat(w.attribute("owner", "string", b"\xff")), flat(*TEXTS)),
    Case("EXR111", "inf", broken("pixelAspectRatio", w.attribute("pixelAspectRatio", "float", INFINITE)), GOOD),
    Case("EXR112", "-1.0", broken("screenWindowWidth", w.fixed("screenWindowWidth", "float", -1)), GOOD),
    Case("EXR113", "x 1 of 2", flat(channels=subsampled(), window=(1, 0, 16, 7)), flat(channels=subsampled())),
    Case("EXR115", "PIZ", flat(compression=4, deep=True), flat(compression=ZIPS, deep=True)),
    Case("EXR116", "0", broken("channels", w.attribute("channels", "chlist", b"\0")), GOOD),
    Case("EXR117", "RANDOM_Y", flat(line_order=2), flat(line_order=1)),
    Case("EXR118", "empty_window", broken("displayWindow", w.fixed("displayWindow", "box2i", 5, 0, 4, 9)), GOOD),
    Case(
        "EXR119", "chunk_count_mismatch", flat(w.fixed("chunkCount", "int", 3)), flat(w.fixed("chunkCount", "int", 8))
    ),
    Case("EXR120", "displayWindow", parts({}, {"display": (0, 0, 7, 7)}), parts({}, {})),
    Case(
        "EXR121",
        "bad_chunk",
        inspect(w.build(w.part()).data.replace(pack("<Q", FIRST_CHUNK), bytes(7) + b"\1"), name=NAME),
        GOOD,
    ),
    Case(
        "EXR127",
        "bad_tiles",
        flat(
            tiles=w.Tiles(), line_order=0, replace={"tiles": w.attribute("tiles", "tiledesc", pack("<2IB", 0, 64, 0))}
        ),
        flat(tiles=w.Tiles()),
    ),
    Case("EXR125", "unsorted_channels", of_channels("R", "B"), of_channels("B", "R")),
    Case("EXR122", "tiledimage", flat(tiles=w.Tiles()), GOOD),
    Case("EXR123", "2", parts({}, {}), GOOD),
    Case("EXR124", "363", flat(w.text("comments", "x" * 30)), GOOD, {"max": 340}),
    Case("EXR126", "dwaCompressionLevel", flat(w.fixed("dwaCompressionLevel", "float", 45)), flat(deep=True)),
    Case(
        "EXR128",
        "multiView",
        parts({"extra": [w.attribute("multiView", "stringvector", w.stringvector(["l", "r"]))]}, {}),
        parts({}, {}),
    ),
    Case("EXR201", "", of_channels("B", "G"), of_channels("B", "G", "R"), {"channels": ["R", "?"]}),
    Case("EXR202", "beauty.A", of_channels("R", "beauty.A"), of_channels("R", "Alpha"), {"channels": ["A", "*.A"]}),
    Case("EXR203", "B/G/R/Z", of_channels("B", "G", "R", "Z"), GOOD, {"sets": [["R", "G", "B"], ["Y"]]}),
    Case("EXR204", "FLOAT", of_channels("R", kind=FLOAT), of_channels("R")),
    Case("EXR205", "HALF", of_channels("depth.Z"), of_channels("N.X", "N.Y", "N.Z")),
    Case("EXR206", "HALF", of_channels("objectId"), of_channels("objectId", kind=UINT)),
    Case("EXR207", "G/B", of_channels("B", "G"), of_channels("A", "Y")),
    Case("EXR208", "3d", of_channels("3d.R"), of_channels("d3.R")),
    Case("EXR209", "a b", of_channels("a b"), of_channels("a_b.R")),
    Case("EXR210", "red", of_channels("spec.red"), of_channels("spec.R")),
    Case("EXR211", "a.R, a.r", of_channels("a.R", "a.r"), of_channels("a.R", "b.r")),
    Case(
        "EXR212",
        "crypto_object",
        of_channels("crypto_object00.r"),
        flat(w.text("cryptomatte/abc/name", "mat"), channels=channels("mat00.r")),
    ),
    Case(
        "EXR213",
        "",
        flat(w.text("cryptomatte/abc/name", "m"), w.text("cryptomatte/abc/manifest", "{")),
        flat(w.text("cryptomatte/abc/name", "m"), w.text("cryptomatte/abc/manifest", '{"a":"00000001"}')),
    ),
    Case("EXR214", "3", GOOD, of_channels("Y"), {"max": 2}),
    Case(
        "EXR215", "spec", of_channels("R", "diffuse.R", "spec.R"), of_channels("R", "diffuse.R"), {"layers": ["dif*"]}
    ),
    Case("EXR217", "right without Z", stereo("R", "Z", "right.R"), stereo("R", "a.R", "a.right.R", "right.R")),
    Case("EXR216", "2×2", flat(channels=subsampled()), GOOD),
    Case("EXR301", "DWAA", flat(compression=DWAA), flat(compression=ZIPS)),
    Case("EXR302", "B44", flat(compression=B44), of_channels("Z", kind=FLOAT, compression=B44)),
    Case(
        "EXR303",
        "PXR24",
        of_channels("depth.Z", kind=FLOAT, compression=PXR24),
        of_channels("R", "G", "B", kind=FLOAT, compression=PXR24),
    ),
    Case("EXR304", "NONE", GOOD, flat(compression=ZIPS), {"mb": 0}),
    Case("EXR305", "HTJ2K32", flat(compression=HTJ2K32), flat(compression=DWAA)),
    Case("EXR306", "ZIPS", parts({}, {"compression": ZIPS}), parts({}, {})),
    Case(
        "EXR308",
        "100",
        flat(w.fixed("dwaCompressionLevel", "float", 100), compression=DWAA),
        flat(w.fixed("dwaCompressionLevel", "float", 45), compression=DWAA),
    ),
    Case("EXR309", "768 bytes with ZIPS", flat(compression=ZIPS), GOOD),
    Case("EXR401", "", GOOD, flat(chromaticities(*REC709))),
    Case("EXR402", "Rec.709", flat(chromaticities(*REC709)), flat(chromaticities(*AP0)), {"gamuts": ["AP0", "AP1"]}),
    Case("EXR403", "", GOOD, flat(w.text("colorInteropID", "lin_rec709_scene"))),
    Case(
        "EXR404",
        "sRGB",
        flat(w.text("colorSpace", "sRGB")),
        flat(w.text("colorSpace", "ACEScg")),
        {"allowed": ["ACES*"]},
    ),
    Case(
        "EXR405",
        "lin_ap1_scene with Rec.709",
        flat(w.text("colorInteropID", "lin_ap1_scene"), chromaticities(*REC709)),
        flat(w.text("colorInteropID", "lin_rec709_scene"), chromaticities(*REC709)),
    ),
    Case("EXR407", "LogC3", flat(w.text("colorSpace", "LogC3")), flat(w.text("colorSpace", "scene_linear"))),
    Case(
        "EXR408",
        "0.3, 0.3",
        flat(w.fixed("adoptedNeutral", "v2f", 0.3, 0.3), chromaticities(*REC709)),
        flat(w.fixed("adoptedNeutral", "v2f", 0.3127, 0.329), chromaticities(*REC709)),
    ),
    Case("EXR410", "[0.3,0.3,0.3,0.3,0.3,0.3,0.3,0.3]", flat(chromaticities(*[0.3] * 8)), flat(chromaticities(*AP0))),
    Case(
        "EXR411",
        "sRGB",
        parts({"extra": [w.text("colorSpace", "ACEScg")]}, {"extra": [w.text("colorSpace", "sRGB")]}),
        parts({}, {}),
    ),
    Case("EXR450", "ZIPS", aces(compression=ZIPS), aces(flag=0, compression=ZIPS)),
    Case("EXR451", "0", aces(flag=0), aces()),
    Case("EXR452", "tiledimage", aces(tiles=w.Tiles()), aces()),
    Case(
        "EXR453", "B, G, R, Z", aces(channels=channels("B", "G", "R", "Z")), aces(channels=channels("A", "B", "G", "R"))
    ),
    Case("EXR454", "FLOAT", aces(channels=channels("B", kind=FLOAT)), aces()),
    Case("EXR455", "ZIPS", aces(compression=ZIPS), aces()),
    Case("EXR456", "-0.0770001", flat(chromaticities(*AP0[:5], -0.0770001, *AP0[6:])), aces()),
    Case("EXR457", "RANDOM_Y", aces(line_order=2), aces(line_order=1)),
    Case("EXR458", "owner", aces(w.text("owner", "")), aces(*TEXTS)),
    Case("EXR459", "lin_ap1_scene", aces(w.text("colorInteropID", "lin_ap1_scene")), aces()),
    Case("EXR460", "", flat(chromaticities(*AP0)), aces()),
    Case("EXR461", "1049010", aces(w.text("comments", "x" * (1 << 20))), aces()),
    Case("EXR462", "left, right", stereo("B", "left.B"), stereo("B", "left.B", views=("right", "left"))),
    Case("EXR463", "16", flat(key_code(16)), flat(key_code(4))),
    Case("EXR501", ".EXR", named("a.1001.EXR"), named("a.1001.exr")),
    Case("EXR502", "' ', '('", named("a (.1001.exr"), named(NAME)),
    Case(
        "EXR503",
        NAME,
        named(NAME),
        named("xyz_sh010_comp_v003.1001.exr"),
        {"template": "{show}_{shot:sh*}_{task}_v{version:3}.{frame:4}.exr"},
    ),
    Case("EXR504", "5 in 01001", named("a.01001.exr"), named("a.1001.exr")),
    Case("EXR505", "a_1001.exr", named("a_1001.exr"), named("a.1001.exr")),
    Case("EXR506", "", named("a.1001.exr"), named("a_v2.1001.exr")),
    Case("EXR507", "260", named("a" * 256 + ".exr"), named("a.exr")),
    Case("EXR508", "v003", named("/xyz/sh010/v002/a_v003.1001.exr"), named("/xyz/sh010/v003/sh0010_v3.1001.exr")),
    Case("EXR509", "A.1001.exr", named("A.1001.exr"), named("a.1001.exr")),
    Case("EXR510", "e\u0301.exr", named("e\u0301.exr"), named("\u00e9.exr")),
    Case(
        "EXR601",
        "float",
        flat(w.fixed("take", "float", 1)),
        flat(w.fixed("take", "int", 1)),
        {"attributes": [{"name": "take", "type": "int", "min": 1, "max": 9}]},
    ),
    Case("EXR602", "hostname", flat(w.text("hostname", "farm1")), flat(*TEXTS), {"attributes": ["host*"]}),
    Case("EXR603", "", GOOD, flat(code(1, 2, 3, 4))),
    Case("EXR604", "01:02:03:24", flat(code(1, 2, 3, 24), rate(24, 1)), flat(code(1, 2, 3, 23), rate(24000, 1001))),
    Case("EXR605", "", GOOD, flat(rate(24, 1))),
    Case("EXR606", "25/1", flat(rate(25, 1)), flat(rate(24000, 1001)), {"allowed": ["24", "24000/1001"]}),
    Case("EXR607", "23976/1000", flat(rate(23976, 1000)), flat(rate(24000, 1001))),
    Case("EXR608", "reelName", flat(w.text("reelName", "")), flat(*TEXTS)),
    Case("EXR609", "today", flat(w.text("capDate", "today")), flat(w.text("capDate", "2026:11:28 10:00:00"))),
    Case("EXR610", "0", flat(w.fixed("aperture", "float", 0)), flat(w.fixed("aperture", "float", 2.8))),
    Case(
        "EXR611",
        "old 1.0",
        flat(w.text("software", "old 1.0")),
        flat(w.text("software", "new 2.0")),
        {"allowed": ["new*"]},
    ),
    Case("EXR612", "", GOOD, flat(*TEXTS)),
    Case("EXR614", "float", flat(w.fixed("framesPerSecond", "float", 24)), flat(rate(24, 1))),
    Case("EXR616", "4096 bytes", flat(w.attribute("preview", "preview", w.preview(32, 32))), GOOD, {"kb": 4}),
    Case("EXR617", "/show/xyz/a.nk", flat(w.text("project", "/show/xyz/a.nk")), flat(w.text("project", "xyz/a.nk"))),
    Case("EXR618", "", flat(ARNOLD), flat(ARNOLD, *MATRICES)),
    Case("EXR701", "16×8", GOOD, flat(width=32), {"sizes": [[32, 8], [64, 8]]}),
    Case("EXR702", "16", GOOD, flat(width=32), {"width": 32}),
    Case("EXR703", "[1,0,16,7]", flat(window=(1, 0, 16, 7), display=(0, 0, 15, 7)), GOOD),
    Case(
        "EXR704",
        "50 %",
        flat(window=(0, 0, 23, 7), display=(0, 0, 15, 7)),
        flat(window=(0, 0, 18, 7), display=(0, 0, 15, 7)),
    ),
    Case("EXR705", "[20,0,30,7]", flat(window=(20, 0, 30, 7), display=(0, 0, 15, 7)), GOOD),
    Case("EXR706", "1,0", flat(display=(1, 0, 15, 7)), GOOD),
    Case("EXR707", "2.0", broken("pixelAspectRatio", w.fixed("pixelAspectRatio", "float", 2)), GOOD),
    Case("EXR708", "15×8", flat(width=15), GOOD),
    Case("EXR709", "[0,0,0,0]", flat(window=(0, 0, 0, 0), display=(0, 0, 15, 7)), GOOD),
    Case("EXR710", "[0,0,7,7]", parts({}, {"window": (0, 0, 7, 7), "display": (0, 0, 15, 7)}), parts({}, {})),
    Case("EXR711", "48×64", flat(tiles=w.Tiles(48, 64)), flat(tiles=w.Tiles())),
    Case("EXR712", "ONE_LEVEL", flat(tiles=w.Tiles()), flat(tiles=w.Tiles(mode=w.MIPMAP_LEVELS))),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_finds_its_fault_and_nothing_else(case):
    found = verdict(case.bad, case.rule, case.parameters).findings
    assert [finding.rule_id for finding in found] == [case.rule] * max(len(found), 1)
    if case.actual:
        assert case.actual in [finding.actual for finding in found]
    assert all(finding.message and finding.remedy for finding in found)
    good = verdict(case.good, case.rule, case.parameters)
    assert (good.findings, good.not_evaluated) == ((), ())


TAKE = flat(w.fixed("take", "int", 3))


@pytest.mark.parametrize(
    ("rule", "bad", "parameters", "message"),
    [
        ("EXR123", parts({}, {}), {}, "part-count: expected 1 part, is 2"),
        ("EXR126", flat(w.fixed("dwaCompressionLevel", "float", 45)), {}, "dwaCompressionLevel is deprecated"),
        ("EXR202", of_channels("R", "A"), {"channels": ["A"]}, "channels-forbidden: the channel A is forbidden"),
        ("EXR450", aces(w.text("owner", "")), {}, "expected an ACES container, but the attribute owner is empty"),
        ("EXR450", aces(compression=ZIPS), {}, "expected an ACES container with the compression NONE, is ZIPS"),
        (
            "EXR456",
            flat(chromaticities(*AP0[:5], -0.0770001, *AP0[6:])),
            {},
            "expected a chromaticity blue y of -0.077, is -0.0770001",
        ),
        ("EXR458", aces(w.text("owner", "")), {}, "aces-empty-text: the attribute owner is empty"),
        ("EXR601", TAKE, {"attributes": [{"name": "take", "max": 2}]}, "expected a number of at most 2, is 3"),
        ("EXR601", TAKE, {"attributes": [{"name": "take", "min": 4, "max": 9}]}, "of at least 4 and at most 9, is 3"),
        ("EXR602", flat(w.text("hostname", "farm1")), {"attributes": ["host*"]}, "the attribute hostname is forbidden"),
        ("EXR608", flat(w.text("owner", "")), {}, "empty-text: the attribute owner is empty"),
    ],
)  # fmt: skip
def test_messages_name_what_is_wrong(rule, bad, parameters, message):
    assert verdict(bad, rule, parameters).findings[0].message.endswith(message)


def test_every_rule_has_a_case():
    """EXR101 is in another test; EXR129 counts problems beyond the hundreds that are listed."""
    of_files = {rule_id for rule_id, rule in RULES.items() if rule.scope not in ("pixels", "sequence", "shots")}
    assert {case.rule for case in CASES} | {"EXR101", "EXR129"} == of_files


@pytest.mark.parametrize(
    ("rule", "inspection", "reason"),
    [
        ("EXR407", GOOD, "the color space is unknown"),
        ("EXR302", flat(compression=LJ2K), "whether LJ2K changes values depends on the writer"),
        ("EXR504", named("still.exr"), "the name has no frame number"),
        ("EXR604", flat(code(1, 2, 3, 4, drop=True)), "the frame rate is unknown"),
        ("EXR501", inspect(w.build(w.part()).data), "the bytes have no file name"),
        ("EXR701", GOOD, "the policy gives no value for sizes"),
    ],
)
def test_what_cannot_be_decided_has_not_passed(rule, inspection, reason):
    decided = verdict(inspection, rule)
    assert decided.findings == ()
    assert [(each.rule_id, each.reason) for each in decided.not_evaluated] == [(rule, reason)]


@pytest.mark.parametrize(
    ("is_linear", "names"),
    [
        (
            True,
            "Linear Rec.709 (sRGB)|Utility - Linear - sRGB|lin_srgb|lin_rec709_srgb|scene-linear Rec.709-sRGB"
            "|Linear Display P3|analog linear|ACEScg|ACES2065-1|ACES - ACEScg|LinearSRGB|compositing_linear"
            "|lin_ap1_scene|linear",
        ),
        (
            False,
            "Output - Rec.709|Cineon|ADX10|Camera Rec.709|sRGB - Texture|LogC3|S-Log3|BMDFilmLog|ACEScct|ACEScc"
            "|Rec.2100-PQ|Linear PQ|non-linear|Gamma 2.2 Rec.709|g24_rec709|lin_p3d65_display"
            "|Rec.1886 Rec.709 - Display",
        ),
        (None, "Rec.709|raw|analog|studio space"),
    ],
)
def test_scene_linear_color_spaces_are_known_by_their_names(is_linear, names):
    for name in names.split("|"):
        decided = verdict(flat(w.text("colorSpace", name)), "EXR407")
        assert (len(decided.findings), len(decided.not_evaluated)) == (is_linear is False, is_linear is None), name


@pytest.mark.parametrize(
    ("rule", "given", "good", "bad"),
    [
        ("EXR205", {}, "depth_of_field.R DepthOfField.R N.X N.Y N.Z", "depth.Z ViewLayer.Depth.Z mist_depth"),
        ("EXR206", {}, "Vector.X idle.R", "ViewLayer.IndexOB.X IndexMA.X object_id"),
        (
            "EXR303",
            {"kind": FLOAT, "compression": PXR24},
            "beauty_motion_blur.R MotionBlur.R light_p.R diffuse_st.R n_light.R normal_light.R id_light.R R",
            "Vector.X ViewLayer.Vector.W ViewLayer.IndexOB.X speed.X N.R P.X world_P.X normal.R object_id.R UV.U",
        ),
    ],
)
def test_channels_that_are_not_colors_are_known_by_their_names(rule, given, good, bad):
    names = sorted(f"{good} {bad}".split())
    found = verdict(of_channels(*names, **given), rule).findings
    assert {finding.channel_name for finding in found} == {name for name in names if name in bad.split()}


@pytest.mark.parametrize("rule", ["EXR401", "EXR402", "EXR403", "EXR404", "EXR407"])
def test_colors_may_be_in_a_layer(rule):
    parameters = {"EXR402": {"gamuts": ["Rec.709"]}, "EXR404": {"allowed": ["lin_*"]}}.get(rule)
    layer = verdict(of_channels(*(f"ViewLayer.Combined.{name}" for name in "ABGR")), rule, parameters)
    assert layer.findings or layer.not_evaluated
    data = verdict(of_channels(*(f"N.{name}" for name in "BGR")), rule, parameters)
    assert (data.findings, data.not_evaluated) == ((), ())


@pytest.mark.parametrize(
    ("compression", "kind", "names", "changed"),
    [
        (DWAA, HALF, ["N.X", "N.Y", "P.R", "Z", "x.r"], ["N.Y", "P.R"]),
        (DWAA, UINT, ["R"], []),
        (B44, FLOAT, ["R"], []),
        (B44, HALF, ["R", "Z"], ["R", "Z"]),
        (PXR24, HALF, ["R"], []),
        (PXR24, FLOAT, ["R", "Z"], ["R", "Z"]),
    ],
)
def test_lossy_channels_depend_on_type_and_name(compression, kind, names, changed):
    found = verdict(of_channels(*names, kind=kind, compression=compression), "lossy").findings
    assert [finding.channel_name for finding in found] == changed


@pytest.mark.parametrize(
    ("numbers", "drop", "frame_rate", "is_valid"),
    [
        ((1, 1, 0, 0), True, (30000, 1001), False),  # dropped
        ((1, 10, 0, 0), True, (30000, 1001), True),
        ((1, 1, 0, 2), True, (30000, 1001), True),
        ((1, 1, 0, 3), True, (60000, 1001), False),
        ((1, 1, 1, 0), True, (24, 1), False),
        ((1, 1, 1, 29), False, (30000, 1001), True),
    ],
)
def test_time_codes_exist_at_their_rate(numbers, drop, frame_rate, is_valid):
    found = verdict(flat(code(*numbers, drop=drop), rate(*frame_rate)), "EXR604").findings
    assert (found == ()) is is_valid


@pytest.mark.parametrize(
    ("text", "is_rounded", "has_drop_frames"),
    [
        ("24000/1001", False, False),
        ("23.976", True, False),
        ("23.98", True, False),
        ("23.97", True, False),
        ("30000/1001", False, True),
        ("29.97", True, True),
        ("29.98", True, True),
        ("59.94", True, True),
        ("23.99", False, False),
        ("24", False, False),
        ("25", False, False),
        ("30", False, False),
    ],
)
def test_rules_agree_which_rates_are_rounded(text, is_rounded, has_drop_frames):
    frame_rate = rate(*map(int, text.split("/"))) if "/" in text else rate(round(float(text) * 1000), 1000)
    inspection = flat(frame_rate, code(1, 10, 0, 0, drop=True))
    assert bool(verdict(inspection, "fps-exact").findings) is is_rounded
    assert bool(verdict(inspection, "timecode-range").findings) is not has_drop_frames
    with pytest.raises(PolicyError, match="rounded") if is_rounded else nullcontext():
        verdict(inspection, "fps-allowed", {"allowed": [text]})


def test_a_file_that_is_not_an_exr_has_one_finding_and_no_rule_passes(tmp_path):
    path = tmp_path / "a.1001.exr"
    path.write_bytes(b"GIF89a" + bytes(60))
    decided = validate(path, "base")
    assert [(finding.rule_id, finding.severity) for finding in decided.findings] == [("EXR101", "error")]
    assert decided.severity == "error"
    rules = {use.rule.rule_id for use in compiled_policy("base").rules_for().uses()}
    assert {each.rule_id for each in decided.not_evaluated} == rules - {"EXR101"}


def test_a_path_and_its_inspection_have_the_same_verdict(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(w.build(w.part(compression=B44)).data)
    policy = compiled_policy("vfx-delivery")
    assert validate(inspect(path), policy) == validate(path, policy) == validate(str(path), "vfx-delivery")
    assert validate(path, policy).policy == "vfx-delivery"


def test_findings_of_a_rule_are_bounded():
    """The others are counted."""
    found = verdict(of_channels(*(f"c{number:04}" for number in range(250)), kind=FLOAT), "pixel-type").findings
    assert len(found) == 101
    assert "150 more findings of this rule" in {finding.message for finding in found}


def test_many_channels_are_judged_in_bounded_memory():
    names = (f"c{number:05}" for number in range(3000))
    inspection = of_channels(*names, kind=FLOAT, compression=PXR24)
    text = b"{policy: p, version: '1', select: [EXR2, EXR3], rules: {channels-forbidden: {channels: ['*']}}}"
    policy = compile_policy(parse_policy("p.yaml", text))
    decided = evaluate(policy, inspection)
    kept = policy.rules_for(inspection).channel_outcomes(inspection.parts[0].channels)
    assert len(kept) < 110 * len(policy.rules_for(inspection).channel_checks)
    assert decided.counts["error"] >= 3 * 3000
    assert len(decided.findings) < 1000


@pytest.mark.parametrize(
    "rule", ["EXR401", "EXR402", "EXR403", "EXR404", "EXR407", "EXR411", "EXR603", "EXR605", "EXR606"]
)
def test_values_of_the_first_part_are_those_of_later_ones(rule):
    parameters = {"EXR402": {"gamuts": ["Rec.709"]}, "EXR404": {"allowed": ["lin_*"]}, "EXR606": {"allowed": ["24"]}}
    values = [chromaticities(*REC709), w.text("colorInteropID", "lin_rec709_scene"), code(1, 2, 3, 4), rate(24, 1)]
    decided = verdict(parts({"extra": values}, {}), rule, parameters.get(rule))
    assert (decided.findings, decided.not_evaluated) == ((), ())
    without = verdict(parts({}, {"extra": values}), rule, parameters.get(rule))
    assert without.findings or without.not_evaluated


def test_the_worst_findings_of_a_rule_are_listed():
    """An error after a hundred warnings of the same rule fails the file; all are counted."""
    values = [w.attribute(f"a{number:03}", "envmap", b"\7") for number in range(120)]
    decided = verdict(flat(*values, w.attribute("short", "float", b"\0")), "EXR105")
    assert (decided.severity, decided.status) == ("error", "failed")
    assert decided.findings[0].attr_name == "short"
    assert (decided.findings[-1].message, decided.findings[-1].severity) == ("21 more findings of this rule", "warning")
    assert decided.counts == {"error": 1, "warning": 120}


@pytest.mark.parametrize(
    ("rule", "parameters", "message"),
    [
        ("pixel-type", {"types": ["half"]}, "did you mean HALF?"),
        ("part-type", {"types": ["scanline"]}, "or scanlineimage?"),
        ("compression", {"allowed": ["ZIP*"]}, "did you mean ZIP"),
        ("gamut", {"gamuts": ["AP2"]}, "did you mean AP1 or AP0?"),
        ("fps-allowed", {"allowed": ["24fps"]}, "24fps: expected a frame rate as 24 or 24000/1001"),
        ("fps-allowed", {"allowed": ["24/0"]}, "24/0: expected a frame rate"),
        ("fps-allowed", {"allowed": ["23.976"]}, "23.976: rounded; expected 24000/1001"),
        ("part-count", {"min": 5, "max": 1}, "rules.part-count: min 5 is more than max 1"),
        ("attribute-required", {"attributes": [{"name": "a", "min": 2, "max": 1}]}, "min 2 is more than max 1"),
        ("min-width", {"width": -1}, "expected 1 or more"),
        ("overscan", {"percent": -1}, "expected 0 or more"),
        ("channels-forbidden", {"channels": ["A"] * 1001}, "at most 1000 items"),
    ],
)
def test_parameters_are_checked(rule, parameters, message):
    with pytest.raises(PolicyError, match=re.escape(message)):
        verdict(GOOD, rule, parameters)


@pytest.mark.parametrize(
    ("extra", "actual"),
    [
        (w.fixed("captureRate", "rational", -24, 1), ["-24/1"]),
        (w.fixed("captureRate", "rational", 24, 1), []),
        (w.attribute("focus", "float", INFINITE), []),
        (w.attribute("aperture", "float", INFINITE), ["inf"]),
    ],
)
def test_values_of_the_camera_are_positive(extra, actual):
    assert [finding.actual for finding in verdict(flat(extra), "EXR610").findings] == actual
    assert verdict(flat(extra), "EXR614").findings == ()


def test_the_severity_of_unreadable_files_is_that_of_the_policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("{policy: p, version: '1', rules: {unreadable: {severity: info}}}")
    (tmp_path / "a.exr").write_bytes(b"GIF89a")
    assert validate(tmp_path / "a.exr", path).status == "passed"


def test_infinite_numbers_are_no_parameters():
    text = b"{policy: test, version: '1', rules: {overscan: {percent: 1.0e999}}}"
    with pytest.raises(PolicyError, match=r"rules\.overscan\.percent: expected a finite number"):
        parse_policy("test.yaml", text)


def test_all_compressions_and_types_of_parts_may_be_allowed():
    allowed = {"allowed": list(COMPRESSIONS)}, {"types": list(PART_TYPES)}, {"gamuts": list(GAMUTS)}
    for rule, parameters in zip(("compression", "part-type", "gamut"), allowed, strict=True):
        assert verdict(GOOD, rule, parameters).findings == ()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{show}{shot}", "expected text between {show} and {shot}"),
        ("{show}_{show}", "each once"),
        ("{show", "unbalanced {"),
        ("{Show:3}", "unbalanced {"),
    ],
)
def test_templates_of_names_are_checked(template, message):
    with pytest.raises(PolicyError, match="rules.EXR503.template: .*" + re.escape(message)):
        verdict(GOOD, "EXR503", {"template": template})


@pytest.mark.parametrize(
    ("template", "name", "fits"),
    [
        ("{name}.{frame:4}.exr", "a_b-c.1001.exr", True),
        ("{name}.{frame:4}.exr", "a.b.1001.exr", False),
        ("{show:x?z}_{shot:s*h[0-9]*}.exr", "xyz_seqsh1a.exr", True),
        ("{show}_v{version:3}.exr", "a_v12.exr", False),
        ("{a}" + "".join(f"a{{{chr(98 + n)}}}" for n in range(19)), "ab" * 120, False),
    ],
)
def test_names_that_fit_a_template(template, name, fits):
    assert (verdict(named(name), "EXR503", {"template": template}).findings == ()) is fits


def test_views_of_parts_and_layers_of_parts():
    views = [
        {"extra": [w.text("view", view)], "channels": channels(*names)} for view, names in (("l", "BR"), ("r", "R"))
    ]
    (finding,) = verdict(parts(*views), "EXR217").findings
    assert finding.actual == "r without B"
    found = verdict(parts({}, {}), "EXR215", {"layers": ["part0"]}).findings
    assert [(each.expected, each.actual) for each in found] == [("part0", "part1")]
