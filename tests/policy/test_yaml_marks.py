"""YAML without its traps, and the positions of keys and values."""

import pytest

from exr_inspector.errors import PolicyError
from exr_inspector.policy.yaml_marks import MAX_BYTES, read_document


def test_scalars_are_what_they_are_written_as():
    """Times, numbers with leading zeros, country codes and quoted numbers are text."""
    text = """
    time: 10:00:00:00
    padded: 0010
    norway: NO
    switch: on
    version: "1.10"
    single: '12'
    number: 12
    negative: -3
    float: 2.5
    yes: true
    nothing:
    tilde: ~
    list: [a, 1, {b: null}]
    """
    assert read_document("a.yaml", text.encode()).value == {
        "time": "10:00:00:00",
        "padded": "0010",
        "norway": "NO",
        "switch": "on",
        "version": "1.10",
        "single": "12",
        "number": 12,
        "negative": -3,
        "float": 2.5,
        "yes": True,
        "nothing": None,
        "tilde": None,
        "list": ["a", 1, {"b": None}],
    }


def test_positions_count_characters_from_one():
    document = read_document("a.yaml", "größe: 1\nrules:\n  a: {ö: [1, x]}\n".encode())
    assert document.keys["rules", "a", "ö"] == (3, 7)
    assert document.values["rules", "a", "ö", 1] == (3, 14)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", (3, 1), "the key 'a' is repeated"),
        (b"a: &x [1]\nb: *x\n", (2, 4), "the alias *x is not supported"),
        (b"a: !!python/object:os.system 1\n", (1, 4), "the tag tag:yaml.org,2002:python/object:os.system"),
        (b"a: 1\n---\nb: 2\n", (2, 1), "a second document"),
        (b"a: [1\nb: 2\n", (2, 2), "not valid YAML"),
        (b"? [a]\n: 1\n", (1, 3), "a key is not a string"),
        (b"a: 1\nb: \xff\n", (2, 4), "not UTF-8"),
        (b"a: 1\nb: x\x01\n", (2, 5), "a character that YAML does not allow"),
        (b"[" * 100, (1, 66), "nested more than 64 levels"),
        (b"#" * (MAX_BYTES + 1), (1, 1), f"more than {MAX_BYTES} bytes"),
    ],
)
def test_errors_have_a_position(text, position, message):
    with pytest.raises(PolicyError) as raised:
        read_document("a.yaml", text)
    assert (raised.value.line, raised.value.column) == position, str(raised.value)
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"a.yaml:{position[0]}:{position[1]}: ")
