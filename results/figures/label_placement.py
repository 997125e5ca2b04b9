"""Where to write names beside points so that nothing covers anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assay.results.statistics.estimates import Floats

DISTANCES = (5.0, 10.0, 16.0, 24.0, 36.0, 50.0)
ANGLES = (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200, 65, 295, 115, 245)
SWEEPS = 4
# A label farther than this from its point, in points, has a line to it, which covers other labels.
LEADER = 9.0
# What a sticking out of the frame, or a crossing of a label by such a line, counts as covered area.
OUTSIDE, CROSSING = 3.0, 25.0


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    obstacles: ArrayLike,
    frame: tuple[float, float],
    radius: float = 3.5,
) -> Floats:
    """(n, 2) lower left corners of n labels, all in points.

    One label after the other takes the nearest place that is free, or else the least bad; then again, now
    that the others have theirs.

    Args:
        anchors: (n, 2) what each label names.
        sizes: (n, 2) widths and heights.
        obstacles: (m, 2) points not to be covered, within `radius`.
        frame: width and height of the panel whose corner is (0, 0).
        radius: of the points.
    """
    points, extents = (np.reshape(np.asarray(each, float), (-1, 2)) for each in (anchors, sizes))
    dots = np.reshape(np.asarray(obstacles, float), (-1, 2))
    taken = np.concatenate([dots - radius, dots + radius], axis=1)
    choices = [_candidates(*pair) for pair in zip(points, extents, strict=True)]
    # What no other label changes.
    fixed = [
        _covered(_boxes(corners, extent), taken) + OUTSIDE * _outside(corners, extent, frame)
        for corners, extent in zip(choices, extents, strict=True)
    ]
    corners = np.full_like(points, np.nan)
    for _ in range(SWEEPS):
        before = corners.copy()
        for place, (point, extent) in enumerate(zip(points, extents, strict=True)):
            placed = np.delete(_boxes(corners, extents), place, axis=0)
            labels = placed[np.isfinite(placed[:, 0])]
            crossed = _crossed(point, leader_start(point, choices[place], extent), labels)
            costs = fixed[place] + _covered(_boxes(choices[place], extent), labels) + CROSSING * crossed
            # Rounded, so that of free places the nearest is taken.
            corners[place] = choices[place][int(np.argmin(np.round(costs, 6)))]
        if np.array_equal(before, corners):
            break
    return corners


def fits(corners: Floats, sizes: ArrayLike, frame: tuple[float, float]) -> bool:
    """Whether no label covers another one or sticks out of the frame."""
    boxes = _boxes(corners, np.asarray(sizes, float).reshape(-1, 2))
    inside = (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= frame).all()
    return bool(inside) and not any(
        _covered(box[None], np.delete(boxes, place, axis=0))[0] > 0 for place, box in enumerate(boxes)
    )


def leader_start(point: Floats, corner: Floats, extent: Floats) -> Floats:
    """The place of a label, or of each of several, that is nearest to a point."""
    return np.clip(point, corner, corner + extent)


def has_leader(point: Floats, corner: Floats, extent: Floats) -> bool:
    """Whether the label stands so far from its point that a line must lead there."""
    return float(np.hypot(*(leader_start(point, corner, extent) - point))) > LEADER


def _candidates(point: Floats, extent: Floats) -> Floats:
    """(k, 2) corners of labels around the point, the nearest first, right of it before left of it."""
    angles = np.radians(ANGLES)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # The side of the box that faces the point touches the end of the way.
    beside = extent * (1 - np.clip(ways * 2, -1, 1)) / 2
    return np.concatenate([point + distance * ways - beside for distance in DISTANCES])


def _boxes(corners: Floats, extents: Floats) -> Floats:
    return np.concatenate([corners, corners + extents], axis=1)


def _outside(corners: Floats, extent: Floats, frame: tuple[float, float]) -> Floats:
    """(k,) the area of each box that sticks out of the frame."""
    inside = np.clip(np.minimum(corners + extent, frame) - np.maximum(corners, 0), 0, None)
    return np.prod(extent) - np.prod(inside, axis=1)


def _covered(boxes: Floats, others: Floats) -> Floats:
    """(k,) the area of each box that others cover."""
    across, up = (
        np.minimum(boxes[:, None, 2 + axis], others[:, 2 + axis])
        - np.maximum(boxes[:, None, axis], others[:, axis])
        for axis in (0, 1)
    )
    return (np.maximum(across, 0) * np.maximum(up, 0)).sum(axis=1)


def _crossed(start: Floats, ends: Floats, labels: Floats) -> Floats:
    """(k,) how many labels are crossed by the straight line to each end, where there is a line."""
    steps = np.linspace(0, 1, 12)[:, None]
    along = (start + steps * (ends[:, None] - start))[:, :, None]
    inside = np.all((along >= labels[:, :2]) & (along <= labels[:, 2:]), axis=3)
    lines = np.hypot(*(ends - start).T) > LEADER
    return np.where(lines, inside.any(axis=1).sum(axis=1), 0).astype(np.float64)
