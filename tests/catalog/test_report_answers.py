"""The results of every report on a known catalog, on both backends."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from exr_inspector import inspect
from exr_inspector.catalog.queries.named import named_queries, named_query
from exr_inspector.catalog.rows import RowBatch, from_inspections
from exr_inspector.catalog.schema import batch_schema
from exr_inspector.findings.model import Finding
from exr_inspector.pixels.model import PartStats, PixelReport
from exr_inspector.policy.evaluate import Verdict
from exr_inspector.policy.rows import with_verdicts
from exr_inspector.sequence.summary import sequences
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w
from tests.support.exr_bytes import inspection, text

from .test_contract import error_at

SHOT = "s3://studio/harbor/sq010/sh0020/lighting/beauty/v001"
ZIP, PIZ = 3, 4


def exr(path, *parts, data=None, **facts):
    """What looking at such a file gives, with other facts about it where they are given."""
    one = inspect(MemorySource(data or w.build(list(parts) or w.part()).data, path))
    return replace(one, file=replace(one.file, **facts)) if facts else one


def channels(*names, kind=w.HALF):
    return [(name, kind, 1, 1, 0) for name in sorted(names)]


def ask(catalog, report, **given):
    return named_query(report).run(catalog, given).to_pylist()


def columns(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def with_rows(inspections, table, rows, **of_files):
    """The rows of inspections, with more in a table and in columns of `files`."""
    batch = from_inspections(inspections)
    tables = dict(batch.tables)
    tables[table] = pa.Table.from_pylist(rows, schema=batch_schema(table))
    for column, values in of_files.items():
        index = tables["files"].schema.get_field_index(column)
        field = tables["files"].schema.field(index)
        tables["files"] = tables["files"].set_column(index, field, pa.array(values, field.type))
    return RowBatch(tables)


def retire(catalog, path):
    """An old version and a deleted file, which no report may count."""
    catalog.persist([inspection(path, text("note", "old"), channels="XYZ")])
    catalog.persist([inspection(f"{path}.gone.exr", channels="XYZ")])
    catalog.mark_deleted([f"{path}.gone.exr"])


@pytest.fixture(scope="module")
def empty_catalog(shared_catalog):
    return shared_catalog(lambda _: None)


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize("name", named_queries())
def test_an_empty_catalog_has_no_rows(empty_catalog, name):
    needed = {p.name: "x" for p in named_query(name).parameters if p.default is None}
    assert ask(empty_catalog, name, **needed) == []


@pytest.mark.parametrize("name", named_queries())
def test_an_empty_list_is_a_list(empty_catalog, name):
    given = {
        p.name: "" if p.kind == "list" else "x"
        for p in named_query(name).parameters
        if p.kind in ("list", "text", "file")
    }
    assert ask(empty_catalog, name, **given) == []


@pytest.mark.slow
def test_renders_like(catalog):
    arnold = [text("arnold/version", "Arnold 7"), text("arnold/color_space", "ACEScg")]
    same = [exr(f"{SHOT}/a.{n}.exr", w.part(extra=arnold)) for n in (1, 2)]
    near = exr(f"{SHOT}/b.1.exr", w.part(extra=[*arnold, text("arnold/host/os", "Linux")]))
    far = exr(f"{SHOT}/c.exr", w.part(extra=[text("nuke/version", "15")], channels=channels("Z"), compression=PIZ))
    catalog.persist([exr(f"{SHOT}/old.exr", w.part(extra=arnold))])
    catalog.mark_deleted([f"{SHOT}/old.exr"])
    catalog.persist([*same, near, far])
    rows = ask(catalog, "renders-like", reference=same[0].file.file_id)
    assert columns(rows, "path", "renderer") == [
        (f"{SHOT}/a.2.exr", "Arnold"),
        (f"{SHOT}/b.1.exr", "Arnold"),
        (f"{SHOT}/c.exr", "Nuke"),
    ]
    assert rows[0]["similarity"] == 1 > rows[1]["similarity"] > rows[2]["similarity"]
    assert rows == ask(catalog, "renders-like", reference=f"{SHOT}/a.1.exr")
    every_file = ask(catalog, "renders-like", reference=f"{SHOT}/c.exr", per="file")
    assert {row["path"] for row in every_file} == {f"{SHOT}/{name}.exr" for name in ("a.1", "a.2", "b.1")}
    assert ask(catalog, "renders-like", reference=f"{SHOT}/c.exr", per="file", limit="2") == every_file[:2]
    by_channels = ask(catalog, "renders-like", reference=f"{SHOT}/a.1.exr", by="channels", path="*/b.*")
    assert columns(by_channels, "path", "similarity") == [(f"{SHOT}/b.1.exr", 1)]
    assert ask(catalog, "renders-like", reference="nothing") == []


def test_vectors_of_another_version_are_not_compared(catalog):
    one, other = inspection("s3://a/1.exr"), inspection("s3://a/2.exr")
    catalog.persist([one])
    catalog.persist_rows(with_rows([other], "channel_stats", [], embedding_version=[0]))
    assert ask(catalog, "renders-like", reference="s3://a/1.exr") == []


@pytest.mark.slow
def test_channel_composition(catalog):
    rgba = exr("s3://a/rgba.exr", w.part(channels=channels(*"RGBA")))
    layers = exr("s3://a/layers.exr", w.part(channels=channels(*"RGBA", "diffuse.R", "N.X")))
    parts = exr(
        "s3://a/parts.exr", w.part(name="a", channels=channels(*"RGB")), w.part(name="b", channels=channels("Z"))
    )
    retire(catalog, "s3://a/rgba.exr")
    catalog.persist([rgba, layers, parts])

    def found(**given):
        return [row["path"].removeprefix("s3://a/") for row in ask(catalog, "channel-composition", **given)]

    assert found(has="R,G,B") == ["layers.exr", "parts.exr", "rgba.exr"]
    assert found(has="R,G,B", only="R,G,B,A") == ["rgba.exr"]
    assert found(has="*.R") == ["layers.exr"]
    assert found(has="A", lacks="N.*") == ["rgba.exr"]
    assert found(has="R,Z") == ["parts.exr"]
    assert found(lacks="Z") == ["layers.exr", "rgba.exr"]
    assert found(has="X") == []
    assert found(has="r") == []
    (row,) = ask(catalog, "channel-composition", has="Z")
    assert (row["parts"], row["channels"], row["half"], row["float"], row["uint"]) == (2, 4, 4, 0, 0)


@pytest.mark.slow
def test_multi_layer(catalog):
    layered = [exr(f"s3://a/l.{n}.exr", w.part(channels=channels(*"RGB", "diffuse.R", "N.X"))) for n in (1, 2)]
    odd = exr("s3://a/l.3.exr", w.part(channels=channels(*"RGB", "diffuse.R")))
    parts = exr("s3://a/p.exr", *(w.part(name=name, channels=channels(*"RGB")) for name in ("C", "albedo")))
    plain = exr("s3://a/plain.exr")
    retire(catalog, "s3://a/plain.exr")
    catalog.persist([*layered, odd, parts, plain])
    assert columns(ask(catalog, "multi-layer"), "render", "files", "parts", "layers", "channels", "layer_names") == [
        ("s3://a/l.#.exr", 2, 1, 3, 5, "- N diffuse"),
        ("s3://a/l.#.exr", 1, 1, 2, 4, "- diffuse"),
        ("s3://a/p.exr", 1, 2, 2, 6, "C albedo"),
    ]
    assert len(ask(catalog, "multi-layer", at_least="3")) == 1


@pytest.mark.slow
def test_anomalies(catalog):
    def frame(number, *extra, **facts):
        return exr(f"s3://a/f.{number}.exr", w.part(compression=ZIP, extra=extra), **facts)

    frames = [frame(n, text("owner", "me"), size_bytes=100) for n in range(1, 11)]
    frames[3] = frame(4, text("owner", "you"), size_bytes=100)
    frames[4] = frame(5, text("owner", "me"), size_bytes=301)
    big = exr("s3://a/big.exr", w.part(compression=ZIP), size_bytes=5000)
    many = exr("s3://a/many.exr", w.part(compression=ZIP, channels=channels(*(f"c{n}" for n in range(10)))))
    raw = exr("s3://a/raw.exr", w.part(name="a", compression=ZIP), w.part(name="b"))
    deep = exr("s3://a/deep.exr", w.part(deep=True, compression=ZIP))
    retire(catalog, "s3://a/big.exr")
    catalog.persist([*frames, big, many, raw, deep])
    rows = ask(catalog, "anomalies", large_bytes="5000", many_channels="10")
    assert columns(rows, "anomaly", "render", "files", "frames", "detail") == [
        ("deep", "s3://a/deep.exr", 1, "", ""),
        ("large", "s3://a/big.exr", 1, "", "median 5000 bytes"),
        ("large", "s3://a/f.#.exr", 1, "5", "median 100 bytes"),
        ("many channels", "s3://a/many.exr", 1, "", "10 channels"),
        ("outlier", "s3://a/f.#.exr", 1, "4", "header differs from most of 10 frames"),
        ("uncompressed", "s3://a/raw.exr", 1, "", ""),
    ]


@pytest.mark.slow
def test_deep_inventory(catalog):
    karma, arnold = text("husk:command", "husk --renderer karma"), text("arnold/version", "7")
    deep = [exr(f"s3://a/k.{n}.exr", w.part(deep=True, compression=ZIP, extra=[karma])) for n in (1, 2)]
    other = exr(
        "s3://a/a.exr", w.part(name="rgba"), w.part(name="deep", deep=True, extra=[arnold], channels=channels("Z"))
    )
    unknown = exr("s3://a/u.exr", w.part(deep=True))
    catalog.persist([exr("s3://a/flat.exr"), exr("s3://a/gone.exr", w.part(deep=True))])
    catalog.mark_deleted(["s3://a/gone.exr"])
    zero = dict.fromkeys(("nan_count", "pos_inf_count", "neg_inf_count", "negative_count", "finite_count"), 0)
    stats = [
        {"file_id": one.file.file_id, "part_index": 0, "channel_name": name, "sample_count": 9, "stride": 1, **zero,
         "samples_max": most, "samples_mean": mean}
        for one, most, mean in zip(deep, (4, 8), (1.0, 2.0), strict=True)
        for name in "BGR"
    ]  # fmt: skip
    catalog.persist_rows(with_rows([*deep, other, unknown], "channel_stats", stats))
    rows = ask(catalog, "deep-inventory")
    assert columns(rows, "renderer", "compression", "files", "renders", "samples_per_pixel", "most_samples") == [
        ("Karma", "ZIP", 2, 1, 1.5, 8),
        ("unknown", "NONE", 1, 1, None, None),
        ("Arnold", "NONE", 1, 1, None, None),
    ]
    assert [row["channels"] for row in rows] == ["B G R", "B G R", "Z"]
    total = sum(row["packed_bytes"] for row in rows)
    assert [row["share"] for row in rows] == [round(row["packed_bytes"] / total, 4) for row in rows]


@pytest.fixture
def validated(catalog):
    """Three frames of a shot and one of another: two break rules, one was not validated; an old version is out.

    So is an older result of the policy. Another policy has no findings.
    """
    shots = [
        f"s3://s/harbor/sq010/sh{n}/fx/fire/a.{f}.exr" for n, f in (("0010", 1), ("0010", 2), ("0010", 3), ("0020", 1))
    ]
    frames = [inspection(path) for path in shots]
    old = inspection(shots[0], text("note", "old"))

    def verdict(*rules, policy="delivery", policy_hash="2"):
        findings = [
            Finding(rule_id=rule, rule_name=rule, severity=severity, pattern="", message=f"{rule} is broken", remedy="")
            for rule, severity in rules
        ]
        return Verdict(
            policy=policy, version="2", policy_hash=policy_hash, findings=tuple(findings),
            counts=Counter(each.severity for each in findings), not_evaluated=(),
        )  # fmt: skip

    def persist(inspections, verdicts):
        of_files = [(one.file.file_id, verdict) for one, verdict in zip(inspections, verdicts, strict=True) if verdict]
        catalog.persist_rows(with_verdicts(from_inspections(inspections), of_files))

    broken, warned, info = ("compression", "error"), ("channels", "warning"), ("channels", "info")
    persist([old], [verdict(broken)])
    persist(frames[:1], [verdict(warned, policy_hash="1")])
    persist(frames, [verdict(broken, broken), verdict(broken, warned), None, verdict(info)])
    persist(frames[:1], [verdict(policy="base")])
    return catalog


@pytest.mark.slow
def test_validation_by_policy(validated):
    rows = ask(validated, "validation-by-policy")
    assert columns(rows, "policy", "version", "rule", "severity", "findings", "renders", "files", "share") == [
        ("delivery", "2", "compression", "error", 3, 1, 2, 0.6667),
        ("delivery", "2", "channels", "warning", 1, 1, 1, 0.3333),
        ("base", "2", None, None, 0, 0, 0, 0.0),
    ]
    assert rows[0]["example"] == "compression is broken"
    assert [row["files"] for row in ask(validated, "validation-by-policy", severity="info")] == [1, 0]


@pytest.mark.slow
def test_validation_by_shot(validated):
    rows = ask(validated, "validation-by-shot")
    assert [tuple(row.values()) for row in rows] == [
        ("harbor", "sq010", "sh0010", 2, 2, 1.0, 4, "compression"),
        ("harbor", "sq010", "sh0020", 1, 0, 0.0, 0, None),
    ]


@pytest.mark.slow
def test_shots(catalog):
    def at(shot, name, **facts):
        return exr(f"s3://s/harbor/sq010/{shot}/fx/fire/{name}.exr", size_bytes=100, **facts)

    retire(catalog, "s3://s/harbor/sq010/sh0010/fx/fire/a.1.exr")
    catalog.persist([at("sh0010", "a.1"), at("sh0010", "a.5"), at("sh0010", "b.9", completeness="truncated")])
    catalog.persist([at("sh0020", "a.1"), exr("s3://s/elsewhere.exr", size_bytes=100)])
    catalog.record_errors([error_at("s3://s/harbor/sq010/sh0020/fx/fire/a.2.exr", size_bytes=100)])
    names = (
        "show",
        "sequence",
        "shot",
        "files",
        "renders",
        "frames",
        "first_frame",
        "last_frame",
        "damaged",
        "unreadable",
    )
    assert columns(ask(catalog, "shots"), *names, "bytes", "share") == [
        ("harbor", "sq010", "sh0010", 3, 2, 3, 1, 9, 1, 0, 300, 0.5),
        ("harbor", "sq010", "sh0020", 2, 1, 2, 1, 2, 0, 1, 200, 0.3333),
        (None, None, None, 1, 1, 0, None, None, 0, 0, 100, 0.1667),
    ]
    assert columns(ask(catalog, "shots", level="show"), "show", "sequence", "files") == [
        ("harbor", None, 5),
        (None, None, 1),
    ]
    frames = ask(catalog, "shots", level="frame", path="*/sh0010/*")
    assert columns(frames, "shot", "frame", "files") == [("sh0010", 1, 1), ("sh0010", 5, 1), ("sh0010", 9, 1)]
    by_template = ask(catalog, "shots", template="{show}/*/{shot:*20}/**")
    assert columns(by_template, "show", "sequence", "shot", "files") == [
        ("harbor", None, "sh0020", 2),
        (None, None, None, 4),
    ]


def test_sub_frames_are_frames_of_a_shot(catalog):
    catalog.persist([exr(f"s3://s/harbor/sq010/sh0010/fx/a.{frame}.exr") for frame in ("1001", "1001.25", "1002")])
    assert columns(ask(catalog, "shots"), "shot", "frames", "first_frame", "last_frame") == [("sh0010", 3, 1001, 1002)]


@pytest.mark.slow
def test_storage(catalog):
    root = "s3://s/harbor/sq010/sh0010/light"
    retire(catalog, f"{root}/beauty/a.1.exr")
    catalog.persist(
        [exr(f"{root}/beauty/a.{n}.exr", size_bytes=size) for n, size in ((1, 100), (2, 500))]
        + [exr(f"{root}/fog/a.1.exr", size_bytes=200)]
    )
    assert [tuple(row.values()) for row in ask(catalog, "storage")] == [
        ("harbor", "beauty", 1, 2, 300, 500, 600, 0.75),
        ("harbor", "fog", 1, 1, 200, 200, 200, 0.25),
    ]


def test_storage_counts_the_bytes_of_links_once(catalog, tmp_path):
    """A copy with the same time is another file."""
    path = tmp_path / "a.1.exr"
    path.write_bytes(w.build(w.part()).data)
    (tmp_path / "hard.exr").hardlink_to(path)
    (tmp_path / "soft.exr").symlink_to(path)
    shutil.copy2(path, tmp_path / "copy.exr")
    catalog.persist([inspect(each) for each in tmp_path.glob("*.exr")])
    (total,) = ask(catalog, "storage", path="*.exr")
    assert (total["files"], total["bytes"]) == (4, 2 * path.stat().st_size)


@pytest.mark.slow
def test_compression(catalog):
    """The writer stores every chunk unpacked, so with the eight bytes before each, the ratio is known."""
    retire(catalog, "s3://a/z.1.exr")
    zipped = [exr(f"s3://a/z.{n}.exr", w.part(width=100, height=160, compression=ZIP)) for n in (1, 2)]
    chroma = w.part(
        window=(-2, -2, 95, 97), channels=[("BY", w.HALF, 2, 2, 0), ("Y", w.FLOAT, 1, 1, 0)], compression=PIZ
    )
    parts = exr("s3://a/p.exr", w.part(name="a", compression=PIZ), w.part(name="b", deep=True))
    cut = exr("s3://a/cut.exr", data=w.build(w.part(compression=PIZ)).data[:-30])
    catalog.persist([*zipped, exr("s3://a/c.exr", chroma), parts, cut])
    rows = ask(catalog, "compression")
    assert columns(rows, "compression", "files", "renders", "parts", "ratio") == [
        ("ZIP", 2, 1, 2, 1.0),
        ("PIZ", 3, 3, 3, 1.0),
        ("NONE", 1, 1, 1, None),
    ]
    assert rows[0]["packed_bytes"] in range(2 * 96000, 2 * 96000 + 500)
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.001)


@pytest.mark.slow
def test_iterations(catalog):
    def version(number, frame, size, day, *extra):
        path = f"s3://s/fire/v{number:03}/fire_v{number:03}.{frame}.exr"
        return exr(path, w.part(extra=extra), size_bytes=size, mtime=datetime(2026, 3, day))

    catalog.persist([version(1, 1, 100, 1), version(1, 2, 100, 2), version(3, 1, 300, 5)])
    catalog.persist([version(3, 1, 450, 7, text("note", "again"))])
    catalog.persist([exr("s3://s/other/v1/a.1.exr", size_bytes=7, mtime=datetime(2026, 3, 1)), exr("s3://s/none.exr")])
    catalog.mark_deleted(["s3://s/fire/v001/fire_v001.2.exr"])
    rows = ask(catalog, "iterations", at_least="2")
    names = ("render", "version", "iteration", "files", "rewritten", "bytes", "bytes_more")
    assert columns(rows, *names) == [
        ("s3://s/fire/v#/fire_v#.#.exr", 1, 1, 1, 0, 100, None),
        ("s3://s/fire/v#/fire_v#.#.exr", 3, 2, 1, 1, 450, 350),
    ]
    assert columns(rows, "first_written", "last_written") == [
        (datetime(2026, 3, 1), datetime(2026, 3, 2)),
        (datetime(2026, 3, 5), datetime(2026, 3, 7)),
    ]
    assert len(ask(catalog, "iterations")) == 3
    catalog.persist([exr(f"s3://s/show_v2/sh010/v{n:03}/a.1.exr") for n in (1, 2, 3)])
    assert columns(ask(catalog, "iterations", path="*/show_v2/*"), "version") == [(1,), (2,), (3,)]


def with_pixels(one, *digests):
    """With a digest for each part."""
    figures = [PartStats(part_index=index, channels=(), pixel_digest=digest) for index, digest in enumerate(digests)]
    return replace(one, pixels=PixelReport(size_bytes=1, mtime=None, etag=None, parts=tuple(figures)))


@pytest.mark.slow
def test_iterations_of_which_only_the_header_changed(catalog):
    """Frame 1 gets another header, frame 2 other pixels too, frame 3 has no statistics of its first version."""

    def version(frame, digest, *extra):
        return with_pixels(exr(f"s3://s/fire/v001/fire.{frame}.exr", w.part(extra=extra)), digest)

    catalog.persist([version(1, "a"), version(2, "b"), version(3, None)])
    note = text("note", "again")
    catalog.persist([version(1, "a", note), version(2, "x", note), version(3, "c", note)])
    assert columns(ask(catalog, "iterations"), "files", "rewritten", "header_only") == [(3, 3, 1)]


@pytest.mark.slow
def test_duplicates(catalog):
    """The smallest of each picture is kept; a hard link saves nothing."""

    def file(path, size, *digests, parts=1, note="", window=None, **facts):
        made = (
            [w.part(name=f"part{number}") for number in range(parts)]
            if parts > 1
            else [w.part(extra=[text("n", note)], window=window)]
        )
        return with_pixels(exr(f"s3://s/{path}.exr", *made, size_bytes=size, **facts), *digests)

    catalog.persist([file("old", 5, "a", note="first")])
    catalog.persist(
        [
            *(file("old", 5, "z"), file("one/a", 100, "a"), file("two/a", 300, "a"), file("link", 300, "a", inode=7)),
            *(file("other_link", 300, "a", inode=7), file("b", 10, "b"), file("unique", 20, "c"), file("gone", 9, "b")),
            *(file("parts", 70, "p", "q", parts=2), file("same_parts", 60, "p", "q", parts=2)),
            *(file("swapped", 60, "q", "p", parts=2), file("first_part", 60, "p", parts=2)),
            file("moved", 300, "a", window=(5, 0, 20, 7)),
            *(file("damaged", 50, None), file("damaged_too", 50, None), exr("s3://s/unknown.exr")),
        ]
    )
    catalog.mark_deleted(["s3://s/gone.exr"])
    rows = ask(catalog, "duplicates")
    assert columns(rows, "picture", "files", "saved_bytes", "path", "bytes") == [
        (1, 3, 600, "s3://s/link.exr", 300),
        (1, 3, None, "s3://s/one/a.exr", 100),
        (1, 3, None, "s3://s/two/a.exr", 300),
        (2, 2, 70, "s3://s/parts.exr", 70),
        (2, 2, None, "s3://s/same_parts.exr", 60),
    ]
    assert columns(ask(catalog, "duplicates", path="*/a.exr"), "files", "saved_bytes") == [(2, 300), (2, None)]


@pytest.mark.slow
def test_coverage(catalog):
    def at(name):
        return f"s3://s/harbor/sq010/sh0010/fx/fire/{name}.exr"

    retire(catalog, at("a.1"))
    catalog.persist([inspection(at("a.1")), inspection(at("a.2")), inspection("s3://s/elsewhere.exr")])
    catalog.persist_rows(
        with_rows([inspection(at("a.3"))], "channel_stats", [], embedding_version=[0], validation_status=["passed"])
    )
    catalog.record_errors([error_at(at("a.4"))])
    soon = datetime.now(timezone.utc) + timedelta(days=40)
    names = ("show", "inspected", "unreadable", "deleted", "share", "stale", "without_vectors", "not_validated")
    assert columns(ask(catalog, "coverage"), *names) == [
        ("harbor", 3, 1, 1, 0.75, 0, 1, 2),
        (None, 1, 0, 0, 1.0, 0, 0, 1),
    ]
    assert columns(ask(catalog, "coverage", now=soon.isoformat()), "stale") == [(3,), (1,)]
    assert columns(ask(catalog, "coverage", now=soon.isoformat(), days="50"), "stale") == [(0,), (0,)]


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("vrayInfo/rendertime", " 1h  2m  3.5s", 3723.5),
        ("vrayInfo/rendertime", " 0h  0m  7.0s", 7),
        ("RenderTime", "03:12.50", 192.5),
        ("RenderTime", "01:00:01", 3601),
        ("RenderTime", "12.5", 12.5),
        ("husk:render_stats", '{"rendertime":117.57,"peakmem":1}', 117.57),
        ("RenderTime", "a while", None),
        ("RenderTime", "inf", None),
        ("RenderTime", "-5", None),
        ("RenderTime", "", None),
    ],
)
def test_render_times_are_read_as_renderers_write_them(new_catalog, name, value, seconds):
    catalog = new_catalog()
    catalog.persist([exr("s3://a/a.exr", w.part(extra=[text(name, value)]))])
    assert columns(ask(catalog, "render-times"), "seconds") == ([] if seconds is None else [(seconds,)])


@pytest.mark.slow
def test_attributes(catalog):
    def frame(number, camera):
        first = [text("arnold/version", "Arnold 7"), text("Camera", camera)]
        return exr(f"s3://a/f.{number}.exr", w.part(name="a", extra=first), w.part(name="b", extra=first))

    retire(catalog, "s3://a/f.1.exr")
    catalog.persist([frame(1, "shotCam"), frame(2, "shotCam2")])
    catalog.persist(
        [exr("s3://a/p.exr", w.part(extra=[text("cameraModel", "ALEXA"), text("Camera", "x"), text("owner", "Kim")]))]
    )
    names = ("render", "files", "camera", "artist", "renderer", "software")
    assert columns(ask(catalog, "attributes"), *names) == [
        ("s3://a/f.#.exr", 2, "shotCam, shotCam2", None, "Arnold", "Arnold 7"),
        ("s3://a/p.exr", 1, "ALEXA", "Kim", "ARRI camera", None),
    ]
    assert columns(ask(catalog, "attributes", camera="Camera", path="*p.exr"), "camera") == [("x",)]
    noon = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
    catalog.persist([exr(f"s3://b/f.{hour}.exr", w.part(), mtime=noon.replace(hour=hour)) for hour in (11, 12, 10)])
    assert columns(ask(catalog, "attributes", path="s3://b"), "written") == [(noon.replace(tzinfo=None),)]


@pytest.mark.slow
def test_render_times(catalog):
    """Of each frame with host and date, or of each render; a date that cannot be parsed is that of the file."""

    def frame(name, seconds, host, date):
        extra = [w.fixed("arnold/stats/time/render", "float", seconds), text("HostComputer", host), text("Date", date)]
        return exr(f"s3://a/{name}.exr", w.part(extra=extra), mtime=datetime(2026, 1, 1, tzinfo=timezone.utc))

    retire(catalog, "s3://a/f.1.exr")
    catalog.persist([frame("f.2", 1800, "farm02", "2026/03/04 10:00:00"), frame("f.1", 3600, "farm01", "today")])
    catalog.persist([frame("p", 5400, "farm01", "2026:03:05 11:30:00"), exr("s3://a/without.exr")])
    names = ("render", "frame", "frames", "seconds", "most_seconds", "host", "rendered", "share")
    assert columns(ask(catalog, "render-times"), *names) == [
        ("s3://a/f.#.exr", "1", None, 3600, None, "farm01", datetime(2026, 1, 1), 0.3333),
        ("s3://a/f.#.exr", "2", None, 1800, None, "farm02", datetime(2026, 3, 4, 10), 0.1667),
        ("s3://a/p.exr", None, None, 5400, None, "farm01", datetime(2026, 3, 5, 11, 30), 0.5),
    ]
    assert columns(ask(catalog, "render-times", per="render"), *names) == [
        ("s3://a/f.#.exr", None, 2, 2700, 3600, "farm01, farm02", datetime(2026, 3, 4, 10), 0.5),
        ("s3://a/p.exr", None, 1, 5400, 5400, "farm01", datetime(2026, 3, 5, 11, 30), 0.5),
    ]


def test_the_time_of_day_of_a_date_may_be_another_attribute(new_catalog):
    """As in files of V-Ray."""
    catalog = new_catalog()
    texts = {"rendertime": " 0h  0m  7.0s", "date": "2026/Mar/02", "time": "11:29:56"}
    catalog.persist(
        [exr("s3://a/a.exr", w.part(extra=[text(f"vrayInfo/{name}", value) for name, value in texts.items()]))]
    )
    assert columns(ask(catalog, "render-times"), "rendered") == [(datetime(2026, 3, 2, 11, 29, 56),)]


@pytest.mark.slow
def test_incomplete_frames(catalog):
    """The same frames as `sequences`."""

    def sequence(name, *numbers):
        return [inspection(f"s3://a/{name}.{n}.exr") for n in numbers]

    retire(catalog, "s3://a/ones.1001.exr")
    catalog.persist(sequence("ones", 1001, 1002, 1004, 1009))
    catalog.persist(
        sequence("twos", 2, 4, 6, 10, 12) + sequence("mixed", 4, 8, 10, 14, 16) + sequence("dates", 1, 20260101)
    )
    catalog.persist([exr("s3://a/cut.7.exr", data=w.build([w.part(name="a"), w.part(name="b")]).data[:-30])])
    catalog.record_errors([error_at("s3://a/ones.1006.exr"), error_at("s3://a/alone_v003.exr")])
    rows = ask(catalog, "incomplete-frames")
    assert columns(rows, "problem", "render", "frames", "frame_count") == [
        ("unreadable", "s3://a/alone_v003.exr", "", 1),
        ("truncated", "s3://a/cut.#.exr", "7", 1),
        ("missing", "s3://a/mixed.#.exr", "5-7", 3),
        ("missing", "s3://a/mixed.#.exr", "9", 1),
        ("missing", "s3://a/mixed.#.exr", "11-13", 3),
        ("missing", "s3://a/mixed.#.exr", "15", 1),
        ("missing", "s3://a/ones.#.exr", "1003", 1),
        ("missing", "s3://a/ones.#.exr", "1005", 1),
        ("unreadable", "s3://a/ones.#.exr", "1006", 1),
        ("missing", "s3://a/ones.#.exr", "1007-1008", 2),
        ("missing", "s3://a/twos.#.exr", "8", 1),
    ]
    assert rows[1]["detail"] == "15 of 16 chunks; missing part 1: line 7 (7 in part)"
    tiles = [w.part(tiles=w.Tiles(4, 4, w.MIPMAP_LEVELS)), w.part(extra=[text("wrapmodes", "clamp")])]
    catalog.persist([exr(f"s3://a/tile.{n}.exr", tiles[n % 2]) for n in (1001, 1002, 1011)])
    catalog.record_errors([error_at("s3://a/cut.9_L.exr")])
    assert columns(ask(catalog, "incomplete-frames", path="*tile*"), "frames") == []
    assert columns(ask(catalog, "incomplete-frames", path="*_L*"), "render", "frames") == [("s3://a/cut.#_L.exr", "9")]
    missing = {report.sequence: report.missing_count for report in sequences(catalog) if report.missing}
    assert missing == {
        name: sum(row["frame_count"] for row in rows if row["render"] == name and row["problem"] == "missing")
        for name in {row["render"] for row in rows if row["problem"] == "missing"}
    }


@pytest.mark.slow
def test_cryptomattes(catalog):
    def matte(key, name, manifest, field="manifest"):
        return [text(f"cryptomatte/{key}/name", name), text(f"cryptomatte/{key}/{field}", manifest)]

    three = '{"a":"00000001","b/c":"0000000f","d \\"e\\"":"ABCDEF12"}'
    long = "{" + ",".join(f'"object_{n:05}":"{n:08x}"' for n in range(5000)) + "}"
    retire(catalog, "s3://a/f.1.exr")
    catalog.persist(
        [
            exr(f"s3://a/f.{n}.exr", w.part(extra=matte("aaaaaaa", "obj", three) + matte("b", "mat", "{")))
            for n in (1, 2)
        ]
    )
    catalog.persist([exr("s3://a/long.exr", w.part(extra=matte("c", "asset", long)))])
    catalog.persist([exr("s3://a/side.exr", w.part(extra=matte("d", "obj", "m.json", "manif_file")))])
    rows = ask(catalog, "cryptomattes")
    names = ("render", "cryptomatte", "manifests", "objects", "is_estimate", "largest_bytes", "broken", "sidecar")
    assert columns(rows, *names) == [
        ("s3://a/long.exr", "asset", 1, rows[0]["objects"], True, len(long), 0, None),
        ("s3://a/f.#.exr", "obj", 2, 3, False, len(three), 0, None),
        ("s3://a/f.#.exr", "mat", 2, None, False, 1, 2, None),
        ("s3://a/side.exr", "obj", 1, None, False, None, 0, "m.json"),
    ]
    assert rows[0]["objects"] == pytest.approx(5000, rel=0.001)
    twice = [w.part(extra=[*matte("e", "two", long), text("name", name)]) for name in ("left", "right")]
    catalog.persist([exr("s3://a/two.exr", *twice, size_bytes=4 * len(long))])
    assert columns(ask(catalog, "cryptomattes", path="*two*"), "manifests", "share") == [(2, 0.5)]
