"""Vectors as sums of hashed tokens, in groups with fixed shares.

Each group is a sum of token codes, scaled to the length √share; a vector is the concatenation of its groups. The shares
add up to 1, so the vector has unit length, and the cosine of two vectors is the weighted mean of their groups' cosines.
A token's code has four positions in its group with a sign each, taken from its BLAKE2b hash: the "hashing trick" of
Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009). Weights are integers, so sums are exact
and do not depend on the order of the tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

VERSION = 3  # stored with every vector; to be raised, once per release, if anything below or any token changes

_UNIT = 64  # the integer form of weight 1.0
_HASH = Struct("<5H")
_POSITIONS = 4  # per token; the dimensions of every group are a multiple
_SIGNS = [tuple([1 if signs & bit else -1 for bit in (1, 2, 4, 8)]) for signs in range(16)]


class Group(NamedTuple):
    """A range of dimensions of a vector, with its share of the squared length.

    `bias` is the weight of a token that every file has: a group with few tokens changes little when a token
    changes, and two groups without tokens are equal.
    """

    name: str
    dimensions: int
    share: float
    bias: float
    meaning: str


METADATA_GROUPS = (
    Group("software", 40, 0.18, 0.5, "renderer and software, with their versions"),
    Group("channels", 96, 0.28, 0.5, "layers and pixel types"),
    Group("structure", 72, 0.22, 0.5, "compression, size, parts, tiles, windows"),
    Group("names", 56, 0.10, 0.5, "names of attributes"),
    Group("settings", 48, 0.12, 2.0, "values of attributes that do not change per frame"),
    Group("colour", 24, 0.06, 0.5, "chromaticities and color spaces"),
    Group("origin", 48, 0.04, 1.0, "show, shot, scene, artist, camera"),
)
CHANNEL_GROUPS = (
    Group("layers", 32, 0.24, 0.25, "layer names in a common spelling"),
    Group("words", 72, 0.56, 0.25, "words of the layer names"),
    Group("components", 12, 0.10, 0.25, "components and pixel types of each layer"),
    Group("shape", 12, 0.10, 0.25, "numbers of channels and layers, pixel types"),
)


class Token(NamedTuple):
    """A property of a file, and its integer weight."""

    group: str
    text: str
    weight: int


def token(group: str, text: str, weight: float) -> Token:
    """A token with its weight rounded to 1/64."""
    return Token(group, text, round(weight * _UNIT))


Vector = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]  # of integers, so exact


class Codes:
    """The codes of all tokens so far, and vectors as sums of codes. Thread-safe."""

    def __init__(self, groups: Sequence[Group]) -> None:
        sizes = [group.dimensions for group in groups]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._quarters = {
            group.name: (int(start), group.dimensions // _POSITIONS)
            for group, start in zip(groups, self._starts, strict=True)
        }
        self._group_of_dimension = np.repeat(np.arange(len(groups)), sizes)
        self._shares = np.array([group.share for group in groups])
        self._dimensions = sum(sizes)
        self._lock = threading.Lock()
        self._numbers: dict[Token, int] = {}
        self._positions = np.zeros((1024, _POSITIONS), np.intp)
        self._weights = np.zeros((1024, _POSITIONS))
        self._bias = np.zeros(self._dimensions)
        for group in groups:
            positions, weights = self._code(token(group.name, "", group.bias))
            # Token sums are integers and cannot cancel a half: no group has length 0.
            self._bias[list(positions)] = np.array(weights) + 0.5

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, token: Token) -> int:
        """The number of a token, for `sums`."""
        number = self._numbers.get(token)
        if number is None:
            with self._lock:
                number = self._numbers.get(token)
                if number is None:
                    number = len(self._numbers)
                    if number == len(self._positions):  # readers keep the old arrays, with all numbers they have
                        self._positions = np.concatenate([self._positions, np.zeros_like(self._positions)])
                        self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
                    self._positions[number], self._weights[number] = self._code(token)
                    self._numbers[token] = number
        return number

    def _code(self, token: Token) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Four positions, one in each quarter of the group so that they differ, and the weight with its signs."""
        text = f"{token.group}\0{token.text}".encode("utf-8", "surrogatepass")
        a, b, c, d, signs = _HASH.unpack(blake2b(text, digest_size=_HASH.size).digest())
        start, quarter = self._quarters[token.group]
        positions = (
            start + a % quarter,
            start + quarter + b % quarter,
            start + 2 * quarter + c % quarter,
            start + 3 * quarter + d % quarter,
        )
        return positions, tuple([sign * token.weight for sign in _SIGNS[signs & 15]])

    def sums(self, numbers: Sequence[int]) -> Sums:
        """The sum of the codes of these tokens; a number that occurs twice counts twice."""
        chosen = np.array(numbers, np.intp)
        positions = self._positions.take(chosen, axis=0).ravel()
        weights = self._weights.take(chosen, axis=0).ravel()
        return cast("Sums", np.bincount(positions, weights, minlength=self._dimensions))

    def vector(self, sums: Sums) -> Vector:
        """The vector of a sum: the bias added, each group scaled to its share."""
        biased = sums + self._bias
        scale = np.sqrt(self._shares / np.add.reduceat(biased * biased, self._starts))
        biased *= scale.take(self._group_of_dimension)
        return biased.astype(np.float32)
