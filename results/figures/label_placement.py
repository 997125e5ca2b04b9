"""Where to write names beside points so that nothing covers anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from assay.results.statistics.estimates import Floats

DISTANCES = (5.0, 14.0, 24.0, 36.0, 50.0)
ANGLES = (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200, 65, 295, 115, 245)


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    obstacles: ArrayLike,
    frame: tuple[float, float],
    radius: float = 3.5,
) -> Floats:
    """(n, 2) lower left corners of n labels, all in points.

    anchors: (n, 2) what each label names. sizes: (n, 2) widths and heights. obstacles: (m, 2) points not to
    be covered, within `radius`. frame: width and height of the panel whose corner is (0, 0). One label after
    the other takes the nearest place that is free, or else the least bad.
    """
    points, extents = (
        np.reshape(np.asarray(anchors, float), (-1, 2)),
        np.reshape(np.asarray(sizes, float), (-1, 2)),
    )
    dots = np.reshape(np.asarray(obstacles, float), (-1, 2))
    taken = [np.concatenate([dot - radius, dot + radius]) for dot in dots]
    corners = np.zeros_like(points)
    for place, (point, extent) in enumerate(zip(points, extents, strict=True)):
        best = math.inf
        for corner in _candidates(point, extent):
            cost = _cost(np.concatenate([corner, corner + extent]), taken, frame)
            if cost < best:
                best, corners[place] = cost, corner
            if cost == 0:
                break
        taken.append(np.concatenate([corners[place], corners[place] + extent]))
    return corners


def _candidates(point: Floats, extent: Floats) -> Sequence[Floats]:
    """Corners of labels around the point, the nearest first, right of it before left of it."""
    found = []
    for distance in DISTANCES:
        for angle in np.radians(ANGLES):
            way = np.array([math.cos(angle), math.sin(angle)])
            # The side of the box that faces the point touches the end of the way.
            found.append(point + distance * way - extent * (1 - np.clip(way * 2, -1, 1)) / 2)
    return found


def _cost(box: Floats, taken: Sequence[Floats], frame: tuple[float, float]) -> float:
    """The area of the box that covers something or sticks out of the frame, the latter three times."""
    others = np.array(taken).reshape(-1, 4)
    overlap = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    covered = float(np.prod(np.clip(overlap, 0, None), axis=1).sum())
    inside = np.clip(np.minimum(box[2:], frame) - np.maximum(box[:2], 0), 0, None)
    return covered + 3 * float(np.prod(box[2:] - box[:2]) - np.prod(inside))
