"""The picture: three buoys on a slow swell, as the planes that a renderer would write.

In comes a window in pixels and a frame, out come numpy arrays. No noise, so that files stay small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Window = tuple[int, int, int, int]  # x_min, y_min, x_max, y_max, both ends inclusive

FAR = 1e10  # the depth of what is not there, as Blender and others write it
FIRST_FRAME = 1001
_LIGHT = np.array([0.48, 0.64, 0.6], "f4")


@dataclass(frozen=True, slots=True)
class Buoy:
    """A sphere; lengths in pixels of a 240 x 135 image."""

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
    """The planes of one frame: (height, width) or (height, width, 3), float32."""

    beauty: Plane  # premultiplied
    diffuse: Plane
    specular: Plane
    normal: Plane
    position: Plane
    alpha: Plane
    depth: Plane
    owner: NDArray[np.intp]  # index in BUOYS, -1 where there is none


def render(window: Window, frame: int, eye: float = 0.0) -> Render:
    """What the camera sees in `window`; `eye` shifts near things against far ones for a stereo pair."""
    x_min, y_min, x_max, y_max = window
    y, x = np.mgrid[y_min : y_max + 1, x_min : x_max + 1].astype("f4")
    owner = np.full(x.shape, -1, np.intp)
    height = np.full(x.shape, -np.inf, "f4")
    normal = np.zeros((*x.shape, 3), "f4")
    color = np.zeros((*x.shape, 3), "f4")
    for index, buoy in enumerate(BUOYS):
        swell = 3.0 * np.sin(0.5 * (frame - FIRST_FRAME) + index)
        dx, dy = x - buoy.x - eye * (buoy.z + 60) / 60, y - buoy.y - swell
        inside = dx**2 + dy**2 < buoy.radius**2
        dz = np.sqrt(np.where(inside, buoy.radius**2 - dx**2 - dy**2, 0)).astype("f4")
        front = inside & (buoy.z + dz > height)
        owner[front] = index
        height[front] = (buoy.z + dz)[front]
        normal[front] = (np.stack([dx, -dy, dz], -1) / buoy.radius)[front]
        color[front] = buoy.color
    lit = np.clip(normal @ _LIGHT, 0, None)[..., None]
    diffuse = (color * (0.1 + 0.9 * lit)).astype("f4")
    specular = np.repeat(lit**40 * 2, 3, axis=-1).astype("f4")
    alpha = (owner >= 0).astype("f4")
    position = (np.stack([x, -y, np.where(alpha > 0, height, 0)], -1) / 64).astype("f4")
    depth = np.where(alpha > 0, 10 - height / 64, FAR).astype("f4")
    return Render(diffuse + specular, diffuse, specular, normal, position, alpha, depth, owner)


def bounds(render: Render, window: Window) -> Window:
    """The window that holds all buoys and nothing more, as renderers crop their data window."""
    rows, columns = np.flatnonzero(render.alpha.any(1)), np.flatnonzero(render.alpha.any(0))
    x, y = window[0], window[1]
    return int(x + columns[0]), int(y + rows[0]), int(x + columns[-1]), int(y + rows[-1])
