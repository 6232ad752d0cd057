"""Cryptomattes of a part: names with special characters, invalid manifests, and the channels of each matte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.cryptomatte import cryptomattes, file_channels, read_manifest
from exr_inspector.exr import read_header
from tests.support import corpus
from tests.support import exr_writer as w

NAMES = ["car, red", " lead_space", 'quo"te', "back\\slash", "<angle>", "桜の木", "a/b:c", "tab\there", ""]


def matte(manifest: str | None = None, name: str = "CryptoObject", key: str = "3ae39a5", **fields: str) -> list[bytes]:
    texts = {"name": name, "hash": "MurmurHash3_32", "conversion": "uint32_to_float32", **fields}
    if manifest is not None:
        texts["manifest"] = manifest
    return [w.text(f"cryptomatte/{key}/{field}", text) for field, text in texts.items()]


def found(attributes: list[bytes], channels: list[str] = ["R"]):  # noqa: B006
    part = w.part(extra=attributes, channels=[(name, w.FLOAT, 1, 1, 0) for name in channels])
    return cryptomattes(read_header(w.build(part).data).parts[0].attributes)


def test_a_matte_with_its_manifest_and_channels():
    """Names are unchanged; each layer has two ranks."""
    ids = {name: f"{number:08x}" for number, name in enumerate(NAMES)}
    channels = [f"CryptoObject{layer}.{c}" for layer in ("00", "01") for c in "abgr"]
    (only,) = found(matte(json.dumps(ids)), ["R", "CryptoObject.r", *channels, "OtherObject00.r"])
    assert (only.key, only.name) == ("3ae39a5", "CryptoObject")
    assert (only.hash, only.conversion) == ("MurmurHash3_32", "uint32_to_float32")
    assert (only.manifest, only.manifest_error, only.object_count) == (ids, None, len(NAMES))
    assert only.manifest_bytes == len(json.dumps(ids))
    assert only.layers == ("CryptoObject00", "CryptoObject01")
    assert only.channels == tuple(channels)
    assert only.ranks == 4


def test_names_of_layers_may_hold_dots_and_digits():
    """A name with a view layer, and one that ends in a digit."""
    names = ["View.Layer.Crypto100.r", "Crypto100.r", "Crypto00.r"]
    (only,) = found(matte(name="View.Layer.Crypto1"), names)
    assert only.layers == ("View.Layer.Crypto100",)
    (only,) = found(matte(name="Crypto1"), names)
    assert only.layers == ("Crypto100",)


def test_a_sidecar_manifest_is_named_and_not_opened():
    """A matte without a manifest has no error."""
    (beside,) = found(matte(manif_file="../../etc/passwd"))
    assert (beside.manif_file, beside.manifest, beside.manifest_error) == ("../../etc/passwd", None, None)
    (none,) = found(matte())
    assert (none.object_count, none.manifest_bytes, none.manifest_error) == (None, 0, None)


def test_several_mattes_of_a_part():
    """In the order of the header; attributes with similar names are ignored."""
    more = [w.text("cryptomatte/x", "no"), w.text("cryptomattes/k/name", "no")]
    both = found(matte(key="b") + matte(key="a", name="CryptoAsset") + more)
    assert [(m.key, m.name) for m in both] == [("b", "CryptoObject"), ("a", "CryptoAsset")]
    assert found([w.fixed("cryptomatte/k/name", "int", 7)])[0].name is None
    assert found([]) == []


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "not JSON: Expecting value"),
        ("{'a': '00000000'}", "not JSON"),
        ('{"a": "00000000"', "not JSON"),
        ('["a"]', "not a JSON object"),
        ("7", "not a JSON object"),
        ('{"a": 7}', "id of 'a' is not eight hexadecimal digits"),
        ('{"a": "1234567"}', "id of 'a'"),
        ('{"a": {"b": "00000000"}}', "id of 'a'"),
        ('{"a": "0000000g"}', "id of 'a'"),
        ('{"a": "00000000", "a": "00000001"}', "'a' has two ids, 00000000 and 00000001"),
        ('{"\\ud800": "00000000"}', "is not valid Unicode"),
        ("[" * 100_000, "not JSON"),
        ("1" * 5000, "not JSON"),
    ],
)  # fmt: skip
def test_an_invalid_manifest_is_reported(manifest, words):
    """The matte is returned with a description of the error; no exception."""
    (only,) = found(matte(manifest))
    assert only.manifest is None
    assert words in only.manifest_error
    assert only.manifest_bytes == len(manifest)


def test_a_manifest_of_another_type_is_reported():
    """An attribute of bytes."""
    (only,) = found([w.attribute("cryptomatte/k/manifest", "myType", b"{}")])
    assert (only.manifest, only.manifest_error, only.manifest_bytes) == (
        None,
        "invalid manifest: expected an attribute of type string",
        2,
    )


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.integers(0, 2**32 - 1).map("{:08x}".format)))
def test_any_names_are_read_back(ids):
    """From JSON with escapes and without."""
    for text in (json.dumps(ids), json.dumps(ids, ensure_ascii=False)):
        assert found(matte(text))[0].manifest == ids


@given(st.text())
def test_any_text_is_a_manifest_or_an_error(text):
    """Exactly one of the two is set, without an exception."""
    (only,) = found(matte(text))
    assert (only.manifest is None) != (only.manifest_error is None)


@pytest.mark.slow
@corpus.need_corpus
def test_public_samples_have_their_manifests():
    """In files written by renderers."""
    mattes = [
        matte
        for path in corpus.VALID_FILES
        for part in inspect(path).parts
        for matte in cryptomattes(part.attributes, part.channels)
    ]
    assert mattes
    assert all(matte.manifest and matte.layers for matte in mattes)


@pytest.mark.parametrize(
    "names", [["a", "b", "g", "r"], [f"CryptoObject00.{c}" for c in "abgr"]], ids=["short", "full"]
)
def test_layers_in_parts_of_their_own(names):
    """The part is named after the layer; other parts with such channels are not layers."""
    layer = {"channels": [(name, w.FLOAT, 1, 1, 0) for name in names]}
    parts = [w.part(name="beauty", extra=matte("{}")), w.part(name="CryptoObject00", **layer)]
    parts += [w.part(name="CryptoObject", **layer | {"channels": [("r", w.FLOAT, 1, 1, 0)]})]
    inspection = inspect(w.build(parts).data)
    (only,) = cryptomattes(inspection.parts[0].attributes, file_channels(inspection.parts))
    assert only.layers == ("CryptoObject00",)
    assert only.channels == tuple(f"CryptoObject00.{c}" for c in "abgr")


def test_errors_of_manifests_are_short():
    for manifest in ('{"%s": 1}' % ("a" * 10**6), '{"%s": "00000001", "%s": "00000002"}' % (("b" * 10**6,) * 2)):
        _, error = read_manifest(manifest)
        assert error is not None
        assert len(error) < 300
