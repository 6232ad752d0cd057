"""Retrieval quality and cost of the vectors, beside two baselines, on a labelled synthetic studio.

    python -m benchmarks.retrieval [--split held-out] [--seeds 101 102 103] [--only vectors] [--write]

The vectors were tuned on the renderers and shows of the split `tuning`; figures are from `held-out`, which shares none
of them. nDCG@10 has gains of 3 for the same sequence, 2 for the same recipe in another shot, 1 for the same renderer
with another recipe; "other shots" excludes the query's sequence. AUC is that of the cosine. Odd one out: one of five
frames was rendered differently. Spearman compares the cosine with the weighted Jaccard similarity of structural tokens,
for channels with the Jaccard similarity of AOV concepts.
"""

from __future__ import annotations

import argparse
import gc
import math
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from random import Random

import numpy as np

from benchmarks import studio
from benchmarks.measures import Matrix, auc, ndcg, outlier_is_found, spearman, weighted_jaccard
from exr_inspector import Inspection, inspect, vectors
from exr_inspector.inspection import text, volatility
from exr_inspector.inspection.json_form import json_value
from exr_inspector.vectors import attributes, layers
from tools.vector_docs import VECTOR_STRATEGY, with_block

Method = Callable[[Sequence[Inspection]], Matrix]  # rows of unit length
Figures = dict[str, float]

# ── methods ──────────────────────────────────────────────────


def metadata(inspections: Sequence[Inspection]) -> Matrix:
    """The metadata vectors."""
    return np.array([vectors.metadata_vector(each) for each in inspections], np.float64)


def channels(inspections: Sequence[Inspection]) -> Matrix:
    """The channel vectors."""
    return np.array([vectors.channel_vector(each) for each in inspections], np.float64)


def plain_tokens(inspection: Inspection) -> Counter[str]:
    """Tokens chosen without domain knowledge."""
    found: Counter[str] = Counter()
    for part in inspection.parts:
        found.update([f"type {part.part_type}", f"part {part.part_name}", f"compression {part.compression}"])
        found[f"display {part.display_window}"] += 1
        for channel in part.channels:
            name, layer = channel.channel_name, channel.channel_name.rpartition(".")[0]
            found.update([f"c {name}", f"c {name}:{channel.channel_type}", f"l {layer}"])
        for attribute in part.attributes:
            if attribute.attr_name in ("channels", "dataWindow"):
                continue
            value = json_value(attribute.attr_type, attribute.value)
            found.update([f"n {attribute.attr_name}", f"v {attribute.attr_name}={value}"])
            if isinstance(value, str):
                found.update(f"w {word}" for word in re.findall(r"\w+", value.lower()))
    return found


def _weighted(inspections: Sequence[Inspection]) -> Iterator[tuple[int, str, float]]:
    """(row, token, TF-IDF weight) with the document frequencies of these files."""
    bags = [plain_tokens(each) for each in inspections]
    frequency = Counter(token for bag in bags for token in bag)
    for row, bag in enumerate(bags):
        for token, count in bag.items():
            yield row, token, (1 + math.log(count)) * math.log(len(bags) / frequency[token])


def _unit(matrix: Matrix) -> Matrix:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def tf_idf(inspections: Sequence[Inspection]) -> Matrix:
    """Exact TF-IDF over these files, with one dimension per token."""
    weighted = list(_weighted(inspections))
    column = {token: at for at, token in enumerate(dict.fromkeys(token for _, token, _ in weighted))}
    matrix = np.zeros((len(inspections), len(column)))
    for row, token, weight in weighted:
        matrix[row, column[token]] = weight
    return _unit(matrix)


def hashed_tf_idf(inspections: Sequence[Inspection], dimensions: int = 384) -> Matrix:
    """The same tokens and weights, hashed with signs into the number of dimensions of the metadata vector."""
    matrix = np.zeros((len(inspections), dimensions))
    for row, token, weight in _weighted(inspections):
        code = int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little")
        matrix[row, code % dimensions] += weight if code >> 63 else -weight
    return _unit(matrix)


METHODS: dict[str, Method] = {"vectors": metadata, "exact TF-IDF": tf_idf, "hashed TF-IDF, 384": hashed_tf_idf}

# ── corpora ──────────────────────────────────────────────────


def structural_tokens(inspection: Inspection) -> Counter[str]:
    """Structure of a file: names and types of channels, compression, size, type, names of attributes."""
    found: Counter[str] = Counter()
    for part in inspection.parts:
        found |= Counter(
            [f"compression {part.compression}", f"display {part.display_window}", f"type {part.part_type}"]
        )
        found |= Counter(f"c {channel.channel_name}:{channel.channel_type}" for channel in part.channels)
        found |= Counter(f"n {attribute.attr_name}" for attribute in part.attributes)
    return found


class Corpus:
    """A corpus and the labels of its pairs."""

    def __init__(self, split: str, seed: int, *, shots: int = 14) -> None:
        self.renders = studio.corpus(split, seed, shots=shots)
        self.inspections = [render.inspection for render in self.renders]

        def same(label: str) -> np.ndarray:
            labels = np.unique([getattr(render, label) for render in self.renders], return_inverse=True)[1]
            return np.equal.outer(labels, labels)

        self.sequence, self.recipe, self.renderer = same("sequence"), same("recipe"), same("renderer")
        self.gains = np.select([self.sequence, self.recipe, self.renderer], [3, 2, 1], 0)
        self.upper = np.triu(np.ones_like(self.sequence), 1)
        rng = Random(f"pairs/{split}/{seed}")
        self.pairs = [tuple(rng.sample(range(len(self.renders)), 2)) for _ in range(3000)]

    def measure(self, method: Method) -> Figures:
        """The figures of one method on this corpus."""
        rows = method(self.inspections)
        similarity = rows @ rows.T
        sequence, recipe, pick = self.sequence, self.recipe, self.upper
        structure = [structural_tokens(each) for each in self.inspections]
        return {
            "nDCG@10": ndcg(similarity, self.gains, ~np.eye(len(rows), dtype=bool)),
            "nDCG@10, other shots": ndcg(similarity, self.gains, ~sequence),
            "AUC, same sequence": auc(similarity[sequence & pick], similarity[~sequence & pick]),
            "AUC, same sequence within recipe": auc(similarity[sequence & pick], similarity[recipe & ~sequence & pick]),
            "AUC, same recipe": auc(similarity[recipe & pick], similarity[~recipe & pick]),
            "Spearman, structure": spearman(
                [similarity[a, b] for a, b in self.pairs],
                [weighted_jaccard(structure[a], structure[b]) for a, b in self.pairs],
            ),
            "median cosine, same sequence": float(np.median(similarity[sequence & pick])),
            "median cosine, other renderer": float(np.median(similarity[~self.renderer & pick])),
        }

    def channel_spearman(self) -> float:
        """Rank correlation of the cosine of channel vectors with the shared AOVs of two files."""
        rows = channels(self.inspections)
        aovs = [render.concepts for render in self.renders]
        return spearman(
            [float(rows[a] @ rows[b]) for a, b in self.pairs],
            [len(aovs[a] & aovs[b]) / len(aovs[a] | aovs[b]) for a, b in self.pairs],
        )


def odd_accuracy(split: str, seed: int, method: Method, each: int = 30) -> Figures:
    """For each kind of change, the fraction of sequences of five frames whose changed frame is found."""
    cases = list(studio.odd_sequences(split, seed, each))
    rows = method([frame for _, frames, _ in cases for frame in frames]).reshape(len(cases), 5, -1)
    right: dict[str, list[bool]] = defaultdict(list)
    for (kind, _, odd), frames in zip(cases, rows, strict=True):
        right[kind].append(outlier_is_found(frames, odd))
    found = {f"odd one out, {kind}": statistics.fmean(found) for kind, found in right.items()}
    return {"odd one out": statistics.fmean(found.values()), **found}


def forms(split: str, seed: int, count: int = 40) -> Figures:
    """Median cosine of a frame as one part with the same frame as one part per layer."""
    one, other = zip(*studio.two_forms(split, seed, count), strict=True)
    return {
        f"one part and many, {name}": float(np.median((method(one) * method(other)).sum(axis=1)))
        for name, method in (("metadata", metadata), ("channels", channels))
    }


def cost(renders: Sequence[studio.Render], passes: int = 7) -> Figures:
    """Median µs for both vectors of a file, from the best pass of each file.

    Headers are read in advance, except for "just inspected", where each file is inspected first, as in an ingest.
    """
    sequences: dict[str, list[studio.Render]] = {}
    for render in renders:
        sequences.setdefault(render.sequence, []).append(render)
    first = [render for render, *_ in sequences.values()]
    others = [render for _, *others in sequences.values() for render in others]

    def best(
        chosen: Sequence[studio.Render],
        *,
        before: Callable[[], None] = lambda: None,
        before_each: Callable[[], None] = lambda: None,
        reread: bool = False,
    ) -> float:
        taken = np.full((passes, len(chosen)), np.inf)
        for row in taken:
            before()
            for at, render in enumerate(chosen):
                before_each()
                inspection = inspect(render.source) if reread else render.inspection
                begin = time.perf_counter()
                vectors.embed(inspection)
                row[at] = (time.perf_counter() - begin) * 1e6
        return float(np.median(taken.min(axis=0)))

    def warm_up() -> None:
        _clear_caches()
        metadata([render.inspection for render in first])

    gc.disable()  # as timeit does: the corpora would slow down collections
    try:
        return {
            "µs, next frame of a sequence": best(others, before=warm_up),
            "µs, first frame of a sequence": best(first, before=_clear_caches),
            "µs, next frame, just inspected": best(others, before=warm_up, reread=True),
            "µs, first file of a process": best(first, before_each=_clear_caches),
        }
    finally:
        gc.enable()


def _clear_caches() -> None:
    vectors._encoder = vectors.Encoder()
    for module in (attributes, layers, text, volatility):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()


# ── the table ────────────────────────────────────────────────

AIMS: dict[str, tuple[str, float]] = {
    "nDCG@10": ("≥", 0.98),
    "nDCG@10, other shots": ("≥", 0.955),
    "AUC, same sequence": ("≥", 0.995),
    "AUC, same recipe": ("≥", 0.99),
    "odd one out": ("≥", 0.97),
    "odd one out, worst kind": ("≥", 0.9),
    "Spearman, structure": ("≥", 0.6),
    "Spearman, channels": ("≥", 0.6),
    "one part and many, metadata": ("≥", 0.9),
    "one part and many, channels": ("≥", 0.9),
    "µs, next frame of a sequence": ("≤", 100),
    "µs, first frame of a sequence": ("≤", 1000),
}


def mean(of: Sequence[Figures]) -> Figures:
    """The mean of each figure."""
    return {key: statistics.fmean(each[key] for each in of) for key in of[0]}


def figures(split: str, seeds: Sequence[int], methods: dict[str, Method] = METHODS) -> dict[str, Figures]:
    """All figures by method; those without a baseline are with the first method."""
    corpora = [Corpus(split, seed) for seed in seeds]
    found = {
        name: mean(
            [
                corpus.measure(method) | odd_accuracy(split, seed, method)
                for corpus, seed in zip(corpora, seeds, strict=True)
            ]
        )
        for name, method in methods.items()
    }
    for each in found.values():  # the worst of the means, not the mean of the worst
        each["odd one out, worst kind"] = min(value for key, value in each.items() if key.startswith("odd one out, "))
    own = next(iter(found.values()))
    own["Spearman, channels"] = statistics.fmean(corpus.channel_spearman() for corpus in corpora)
    own |= mean([forms(split, seed) for seed in seeds]) | cost(corpora[0].renders)
    return found


def is_met(key: str, value: float) -> bool:
    """Whether a figure reaches its aim; True if it has none."""
    sign, aim = AIMS.get(key, ("≥", -math.inf))
    return value >= aim if sign == "≥" else value <= aim


def table(found: dict[str, Figures]) -> str:
    """The figures as a Markdown table, those with an aim first."""
    own = next(iter(found.values()))
    lines = [f"| | aim | {' | '.join(found)} |", f"|---|---|{'---|' * len(found)}"]
    for key in [*AIMS, *(key for key in own if key not in AIMS)]:
        digits = 0 if key.startswith("µs") else 3
        aim = " ".join([AIMS[key][0], str(AIMS[key][1])]) if key in AIMS else ""
        cells = [f"{each[key]:.{digits}f}" if key in each else "" for each in found.values()]
        cells[0] += "" if is_met(key, own[key]) else " (missed)"
        lines.append(f"| {key} | {aim} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="held-out", choices=studio.SHOWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--only", choices=METHODS, help="one method")
    parser.add_argument("--write", action="store_true", help=f"write the table to {VECTOR_STRATEGY.name}")
    options = parser.parse_args()
    methods = {options.only: METHODS[options.only]} if options.only else METHODS
    found = table(figures(options.split, options.seeds, methods))
    print(found)
    if options.write:
        note = f": version {vectors.VERSION} by `python -m benchmarks.retrieval --write`"
        VECTOR_STRATEGY.write_text(with_block(VECTOR_STRATEGY.read_text("utf-8"), "measured", found, note), "utf-8")


if __name__ == "__main__":
    main()
