"""Tokens as numbers: the groups that a vector is made of, and the places that a token has in its group.

Each group is a sum of token codes, scaled to the length √share; the groups stand one behind the other. The shares add
up to 1, so the vector has unit length, and the cosine of two vectors is the weighted mean of their groups' cosines.
A token's code is four places in its group with a sign each, drawn from its BLAKE2b hash: the "hashing trick" of
Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009). Weights are whole numbers, so sums are
exact and the order of the tokens cannot change a bit.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

VERSION = 3  # stored beside every vector; one that changes anything below, or any token, must count up

UNIT = 64  # the whole number that stands for a weight of 1
_FIVE = Struct("<5H")
_PLACES = 4  # of a token; every group has a multiple of these dimensions
_SIGNS = [tuple([1 if signs & bit else -1 for bit in (1, 2, 4, 8)]) for signs in range(16)]


class Group(NamedTuple):
    """A stretch of a vector: how many dimensions it has, its share of the energy, and what it says, in words.

    `ground` is the weight of a token that every file has: little evidence, noise above all, moves a group little, and
    a group that nothing is said in equals another such.
    """

    name: str
    dimensions: int
    share: float
    ground: float
    meaning: str


METADATA_GROUPS = (
    Group("software", 40, 0.18, 0.5, "renderer and software, with their versions"),
    Group("channels", 96, 0.28, 0.5, "layers and pixel types"),
    Group("structure", 72, 0.22, 0.5, "compression, size, parts, tiles, windows"),
    Group("names", 56, 0.10, 0.5, "which attributes there are"),
    Group("settings", 48, 0.12, 2.0, "values of attributes that are the same in all frames"),
    Group("colour", 24, 0.06, 0.5, "chromaticities and colour spaces"),
    Group("origin", 48, 0.04, 1.0, "show, shot, scene, artist, camera"),
)
CHANNEL_GROUPS = (
    Group("layers", 32, 0.24, 0.25, "names of layers, whatever their spelling"),
    Group("words", 72, 0.56, 0.25, "words of the layers' names"),
    Group("components", 12, 0.10, 0.25, "components and pixel types of each layer"),
    Group("shape", 12, 0.10, 0.25, "how many channels and layers, of which types"),
)


class Token(NamedTuple):
    """One thing that is said of a file, and how much it weighs, in UNITs."""

    group: str
    text: str
    weight: int


Vector = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]  # of whole numbers, so exact


class Codes:
    """The codes of the tokens seen so far, and vectors as sums of them. Safe to use from several threads."""

    def __init__(self, groups: Sequence[Group]) -> None:
        sizes = [group.dimensions for group in groups]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._quarters = {
            group.name: (int(start), group.dimensions // _PLACES)
            for group, start in zip(groups, self._starts, strict=True)
        }
        self._group_of_dimension = np.repeat(np.arange(len(groups)), sizes)
        self._shares = np.array([group.share for group in groups])
        self.dimensions = sum(sizes)
        self._lock = threading.Lock()
        self._known: dict[Token, int] = {}
        self._places = np.zeros((1024, _PLACES), np.intp)
        self._weights = np.zeros((1024, _PLACES))
        self._ground = np.zeros(self.dimensions)
        for group in groups:
            places, weights = self._code(Token(group.name, "", round(group.ground * UNIT)))
            # Tokens add whole numbers, so that they never cancel a half: no group is ever empty.
            self._ground[list(places)] = np.array(weights) + 0.5

    def __len__(self) -> int:
        return len(self._known)

    def number(self, token: Token) -> int:
        """The number by which `sums` knows a token."""
        number = self._known.get(token)
        if number is None:
            with self._lock:
                number = self._known.get(token)
                if number is None:
                    number = len(self._known)
                    if number == len(self._places):  # readers keep the old arrays, which hold all that they know
                        self._places = np.concatenate([self._places, np.zeros_like(self._places)])
                        self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
                    self._places[number], self._weights[number] = self._code(token)
                    self._known[token] = number
        return number

    def _code(self, token: Token) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Four places, one in each quarter of the group so that no two are the same, and the weight with its sign."""
        text = f"{token.group}\0{token.text}".encode("utf-8", "surrogatepass")
        a, b, c, d, signs = _FIVE.unpack(blake2b(text, digest_size=_FIVE.size).digest())
        start, quarter = self._quarters[token.group]
        places = (
            start + a % quarter,
            start + quarter + b % quarter,
            start + 2 * quarter + c % quarter,
            start + 3 * quarter + d % quarter,
        )
        weight = token.weight
        return places, tuple([sign * weight for sign in _SIGNS[signs & 15]])

    def sums(self, numbers: Sequence[int]) -> Sums:
        """The sum of the codes of the tokens with these numbers; one that occurs twice counts twice."""
        chosen = np.array(numbers, np.intp)
        places, weights = self._places.take(chosen, axis=0).ravel(), self._weights.take(chosen, axis=0).ravel()
        return cast("Sums", np.bincount(places, weights, minlength=self.dimensions))

    def vector(self, sums: Sums) -> Vector:
        """The vector that a sum makes."""
        grounded = sums + self._ground
        scale = np.sqrt(self._shares / np.add.reduceat(grounded * grounded, self._starts))
        grounded *= scale.take(self._group_of_dimension)
        return grounded.astype(np.float32)
