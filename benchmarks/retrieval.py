"""How well the vectors find what belongs together, beside two baselines, on a labelled synthetic studio.

    python -m benchmarks.retrieval [--split held-out] [--seeds 11 12 13]

nDCG@10 with gains of 3 for the own sequence, 2 for the recipe in another shot, 1 for the renderer with another recipe;
ties count against the method. "Other shots" leaves out the query's own sequence. AUC is that of the cosine. The odd
one out of five frames must have the smallest mean cosine to the others, alone. Spearman compares the cosine with the
weighted Jaccard of structural tokens, for channels with the Jaccard of AOVs whatever their renderer calls them.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from random import Random

import numpy as np

from benchmarks import studio
from exr_inspector import Inspection, vectors
from exr_inspector.jsonform import json_value

Matrix = np.ndarray
Method = Callable[[Sequence[Inspection]], Matrix]  # rows of unit length

# ── methods ──────────────────────────────────────────────────


def product(inspections: Sequence[Inspection]) -> Matrix:
    return np.array([vectors.metadata_vector(each) for each in inspections], np.float64)


def plain_tokens(inspection: Inspection) -> Counter[str]:
    """Tokens as one would take them without knowing the field."""
    found: Counter[str] = Counter()
    for part in inspection.parts:
        found.update(
            [
                f"type {part.part_type}",
                f"part {part.part_name}",
                f"compression {part.compression}",
                f"display {part.display_window}",
            ]
        )
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


def _unit(matrix: Matrix) -> Matrix:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def tf_idf(inspections: Sequence[Inspection]) -> Matrix:
    """Exact TF-IDF over this corpus, with as many dimensions as there are tokens."""
    bags = [plain_tokens(each) for each in inspections]
    frequency = Counter(token for bag in bags for token in bag)
    column = {token: at for at, token in enumerate(frequency)}
    matrix = np.zeros((len(bags), len(column)), np.float32)
    for row, bag in enumerate(bags):
        for token, count in bag.items():
            matrix[row, column[token]] = (1 + math.log(count)) * math.log(len(bags) / frequency[token] + 1e-9)
    return _unit(matrix)


def hashed_tf_idf(inspections: Sequence[Inspection], dimensions: int = 384) -> Matrix:
    """The same tokens and weights, hashed with signs into 384 dimensions."""
    bags = [plain_tokens(each) for each in inspections]
    frequency = Counter(token for bag in bags for token in bag)
    matrix = np.zeros((len(bags), dimensions))
    for row, bag in enumerate(bags):
        for token, count in bag.items():
            code = int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little")
            weight = (1 + math.log(count)) * math.log(len(bags) / frequency[token] + 1e-9)
            matrix[row, code % dimensions] += weight if code >> 63 else -weight
    return _unit(matrix)


METHODS: dict[str, Method] = {"vectors": product, "TF-IDF, exact": tf_idf, "TF-IDF, hashed to 384": hashed_tf_idf}

# ── measures ─────────────────────────────────────────────────


def ndcg(similarity: Matrix, gains: Matrix, allowed: Matrix, k: int = 10) -> float:
    discounts = 1 / np.log2(np.arange(2, k + 2))
    scores = []
    for row in range(len(similarity)):
        others = np.flatnonzero(allowed[row])
        # Rounded, so that equal vectors are ties; among ties the worst come first.
        order = np.lexsort((gains[row, others], -np.round(similarity[row, others], 6)))
        got = 2.0 ** gains[row, others][order][:k] - 1
        best = 2.0 ** np.sort(gains[row, others])[::-1][:k] - 1
        ideal = float(best @ discounts[: len(best)])
        if ideal > 0:
            scores.append(float(got @ discounts[: len(got)]) / ideal)
    return statistics.fmean(scores)


def auc(positive: Matrix, negative: Matrix) -> float:
    """The chance that a positive is above a negative; a tie is half of one."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    not_above = np.searchsorted(ordered, positive, "right")
    return float((below + not_above).mean() / 2 / len(negative))


def _ranks(values: Matrix) -> Matrix:
    order, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse] if len(order) else values


def spearman(a: Iterable[float], b: Iterable[float]) -> float:
    return float(np.corrcoef(_ranks(np.array(list(a))), _ranks(np.array(list(b))))[0, 1])


def structural_tokens(inspection: Inspection) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in inspection.parts:
        found[f"compression {part.compression}"] = found[f"display {part.display_window}"] = 1
        found[f"type {part.part_type}"] = 1
        for channel in part.channels:
            found[f"c {channel.channel_name}:{channel.channel_type}"] = 1
        for attribute in part.attributes:
            found[f"n {attribute.attr_name}"] = 1
    return found


def weighted_jaccard(a: Counter[str], b: Counter[str]) -> float:
    return (a & b).total() / max((a | b).total(), 1)


class Corpus:
    """A corpus and what is true of its pairs."""

    def __init__(self, split: str, seed: int) -> None:
        self.renders = studio.corpus(split, seed)
        self.inspections = [render.inspection for render in self.renders]
        same = [
            np.equal.outer(labels, labels)
            for labels in (
                np.array([getattr(render, label) for render in self.renders], object)
                for label in ("sequence", "recipe", "renderer")
            )
        ]
        self.sequence, self.recipe, self.renderer = (each.astype(bool) for each in same)
        self.gains = np.select([self.sequence, self.recipe, self.renderer], [3, 2, 1], 0)
        self.upper = np.triu(np.ones_like(self.sequence), 1)
        rng = Random(f"pairs/{split}/{seed}")
        count = len(self.renders)
        self.pairs = [tuple(rng.sample(range(count), 2)) for _ in range(3000)]
        structure = [structural_tokens(each) for each in self.inspections]
        self.structural = [weighted_jaccard(structure[a], structure[b]) for a, b in self.pairs]
        concepts = [render.concepts for render in self.renders]
        self.same_aovs = [
            len(concepts[a] & concepts[b]) / max(len(concepts[a] | concepts[b]), 1) for a, b in self.pairs
        ]


def measure(corpus: Corpus, method: Method) -> dict[str, float]:
    rows = method(corpus.inspections)
    similarity = rows @ rows.T
    own = np.eye(len(rows), dtype=bool)
    pick = corpus.upper.astype(bool)
    sequence, recipe = corpus.sequence, corpus.recipe
    return {
        "nDCG@10": ndcg(similarity, corpus.gains, ~own),
        "other shots": ndcg(similarity, corpus.gains, ~sequence),
        "AUC sequence": auc(similarity[sequence & pick], similarity[~sequence & pick]),
        "AUC in recipe": auc(similarity[sequence & pick], similarity[recipe & ~sequence & pick]),
        "AUC recipe": auc(similarity[recipe & pick], similarity[~recipe & pick]),
        "Spearman": spearman((similarity[a, b] for a, b in corpus.pairs), corpus.structural),
        "cosine in sequence": float(np.median(similarity[sequence & pick])),
        "cosine other renderer": float(np.median(similarity[~corpus.renderer & pick])),
    }


def odd_accuracy(split: str, seed: int, method: Method, each: int = 30) -> dict[str, float]:
    cases = list(studio.odd_sequences(split, seed, each))
    rows = method([frame for _, frames, _ in cases for frame in frames]).reshape(len(cases), 5, -1)
    right: dict[str, list[bool]] = defaultdict(list)
    for (kind, _, odd), frames in zip(cases, rows, strict=True):
        mean = np.round((frames @ frames.T).sum(axis=1), 7)
        right[kind].append(bool((mean[odd] < np.delete(mean, odd)).all()))
    return {kind: statistics.fmean(found) for kind, found in right.items()}


def both(inspections: Sequence[Inspection]) -> Matrix:
    """Metadata and channel vector side by side: the sum of the two distances."""
    found = [vectors.embed(each) for each in inspections]
    return np.array([np.concatenate(each) for each in found], np.float64)


def channel_spearman(corpus: Corpus) -> float:
    rows = np.array([vectors.channel_vector(each) for each in corpus.inspections], np.float64)
    return spearman((float(rows[a] @ rows[b]) for a, b in corpus.pairs), corpus.same_aovs)


def forms(split: str, seed: int) -> tuple[float, float]:
    """Median cosines of one frame as one part and as many, in both vectors."""
    pairs = [(vectors.embed(one), vectors.embed(other)) for one, other in studio.two_forms(split, seed)]
    return tuple(  # type: ignore[return-value]
        statistics.median(float(np.float64(one[at]) @ np.float64(other[at])) for one, other in pairs) for at in (0, 1)
    )


def cost(inspections: Sequence[Inspection]) -> dict[str, float]:
    """Median µs for both vectors of a file: first sight, seen attributes in a new header, a header like one seen."""

    def median(prepare: Callable[[], None]) -> float:
        taken = []
        for each in inspections:
            prepare()
            begin = time.perf_counter()
            vectors.embed(each)
            taken.append(time.perf_counter() - begin)
        return statistics.median(taken) * 1e6

    def forget() -> None:
        vectors._encoder = vectors.Encoder()

    forget()
    vectors.embed(inspections[0])
    return {
        "first sight": median(lambda: None),
        "new combination": median(lambda: vectors._encoder._vectors.clear()),
        "like one seen": median(lambda: None),
    }


def mean(of: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.fmean(each[key] for each in of) for key in of[0]}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="held-out", choices=studio.SHOWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--only", help="one method")
    options = parser.parse_args()
    corpora = [Corpus(options.split, seed) for seed in options.seeds]
    sizes = [
        (len(c.renders), len({r.sequence for r in c.renders}), len({r.recipe for r in c.renders})) for c in corpora
    ]
    print(f"{options.split}: files, sequences, recipes: {sizes}")
    for name, method in METHODS.items():
        if options.only and not name.startswith(options.only):
            continue
        found = mean([measure(corpus, method) for corpus in corpora])
        print(f"\n{name}")
        print("  " + "  ".join(f"{key} {value:.3f}" for key, value in found.items()), flush=True)
        odd = mean([odd_accuracy(options.split, seed, method) for seed in options.seeds])
        print(
            f"  odd one out {statistics.fmean(odd.values()):.3f}: " + ", ".join(f"{k} {v:.2f}" for k, v in odd.items()),
            flush=True,
        )
    odd = mean([odd_accuracy(options.split, seed, both) for seed in options.seeds])
    print(
        f"\nboth vectors: odd one out {statistics.fmean(odd.values()):.3f}: "
        + ", ".join(f"{k} {v:.2f}" for k, v in odd.items())
    )
    print(
        f"channels: Spearman {statistics.fmean(map(channel_spearman, corpora)):.3f} {[round(channel_spearman(c), 2) for c in corpora]}"
    )
    print("one part and many: metadata %.3f, channels %.3f" % forms(options.split, options.seeds[0]))
    print("µs for both vectors: " + ", ".join(f"{k} {v:.0f}" for k, v in cost(corpora[0].inspections).items()))


if __name__ == "__main__":
    main()
