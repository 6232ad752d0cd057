"""The cache of what repeats: bounded by size, and what changes with every frame pushes out only its like."""

from __future__ import annotations

from exr_inspector.exr.cache import Cache


def make(most: int) -> Cache[str, str]:
    return Cache(most, lambda _, value: len(value))


def test_what_is_asked_for_stays_while_new_values_come_and_go():
    cache = make(100)
    cache.put("shared", "x" * 10)
    for frame in range(1000):
        cache.put(f"frame {frame}", "y" * 10)
        assert cache.get("shared") == "x" * 10
    assert cache.get("frame 0") is None
    assert cache.get("frame 999") == "y" * 10


def test_it_holds_no_more_than_its_bytes():
    cache = make(1000)
    for size in (*range(400), 5000):
        cache.put(f"{size}", "x" * size)
    kept = [size for size in (*range(400), 5000) if cache.get(f"{size}") is not None]
    assert 0 < sum(kept) <= 1000
    assert 399 in kept


def test_nothing_is_kept_after_clear():
    cache = make(100)
    cache.put("a", "b")
    cache.clear()
    assert cache.get("a") is None
