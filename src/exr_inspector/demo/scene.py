"""The demo image, three buoys on a slow swell: a pixel window and a frame number in, numpy planes out.

Without noise, so that files stay small. The result is the same on every machine: only operations that IEEE 754 defines
exactly, one array at a time, and results rounded to fixed steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exr.attributes import Box2i

Plane = NDArray[np.float64]

FAR = 1e10  # depth of the background, as in Blender and others
FIRST_FRAME = 1001
_LIGHT = (0.48, 0.64, 0.6)
_STEPS = 256  # colors, normals, positions and depths are multiples of 1/256


@dataclass(frozen=True, slots=True)
class Buoy:
    """A sphere; lengths in pixels of a 240 × 135 image."""

    name: str
    x: float
    y: float
    z: float
    radius: float
    color: tuple[float, float, float]


BUOYS = (
    Buoy("buoy_red", 78, 74, 0, 38, (0.62, 0.07, 0.05)),
    Buoy("buoy_green", 150, 80, 18, 29, (0.06, 0.4, 0.16)),
    Buoy("lantern_amber", 116, 40, -30, 18, (1.6, 0.7, 0.12)),
)


@dataclass(frozen=True, slots=True)
class Render:
    """The planes of one frame: (height, width) or (height, width, 3)."""

    beauty: Plane  # premultiplied
    diffuse: Plane
    specular: Plane
    normal: Plane
    position: Plane
    alpha: Plane
    depth: Plane
    owner: NDArray[np.intp]  # index in BUOYS, -1 for the background


def render(window: Box2i, frame: int, eye: float = 0.0) -> Render:
    """The image in `window`; `eye` is the horizontal offset of the camera for a stereo pair."""
    y, x = np.mgrid[window.yMin : window.yMax + 1, window.xMin : window.xMax + 1].astype("f8")
    owner = np.full(x.shape, -1, np.intp)
    height = np.full(x.shape, -np.inf)
    normal = np.zeros((*x.shape, 3))
    color = np.zeros((*x.shape, 3))
    for index, buoy in enumerate(BUOYS):
        swell = round(3.0 * math.sin(0.5 * (frame - FIRST_FRAME) + index), 3)
        dx, dy = x - buoy.x - eye * (buoy.z + 60) / 60, y - buoy.y - swell
        left = buoy.radius * buoy.radius - dx * dx - dy * dy
        dz = np.sqrt(np.where(left > 0, left, 0))
        front = (left > 0) & (buoy.z + dz > height)
        owner[front] = index
        height[front] = (buoy.z + dz)[front]
        normal[front] = (np.stack([dx, -dy, dz], -1) / buoy.radius)[front]
        color[front] = buoy.color
    lit = sum(normal[..., axis] * _LIGHT[axis] for axis in range(3))
    lit = np.where(lit > 0, lit, 0)[..., None]
    alpha = (owner >= 0).astype("f8")
    near = np.where(owner >= 0, height, 0)
    diffuse = _rounded(color * (0.1 + 0.9 * lit))
    specular = _rounded(np.repeat(_power_40(lit) * 2, 3, axis=-1))
    position = np.where(owner[..., None] >= 0, _rounded(np.stack([x, -y, near], -1) / 64), 0)
    depth = np.where(owner >= 0, _rounded(10 - near / 64), FAR)
    return Render(diffuse + specular, diffuse, specular, _rounded(normal), position, alpha, depth, owner)


def _power_40(base: Plane) -> Plane:
    """base ** 40 by multiplication: the rounding of pow() depends on the library."""
    power_2 = base * base
    power_4 = power_2 * power_2
    power_8 = power_4 * power_4
    power_16 = power_8 * power_8
    return power_16 * power_16 * power_8


def _rounded(values: Plane) -> Plane:
    rounded: Plane = np.rint(values * _STEPS) / _STEPS + 0.0  # + 0.0 turns -0.0 into 0.0
    return rounded


def bounds(render: Render, window: Box2i) -> Box2i:
    """The smallest window that contains all buoys, as renderers crop their data window."""
    rows, columns = np.flatnonzero(render.alpha.any(1)), np.flatnonzero(render.alpha.any(0))
    x, y = window.xMin, window.yMin
    return Box2i(int(x + columns[0]), int(y + rows[0]), int(x + columns[-1]), int(y + rows[-1]))
