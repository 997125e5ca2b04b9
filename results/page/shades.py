"""The class of a score: blue for the label, orange against it, violet where scores have a size only."""

from __future__ import annotations

SHADES = 8


def shade(value: float, largest: float, *, signed: bool = True) -> str:
    """The class of a score: `zero`, or its sign, if it has one, and its shade from 1 to SHADES."""
    step = round(SHADES * abs(value) / largest) if largest > 0 else 0
    side = ("for" if value > 0 else "against") if signed else "size"
    return f"{side}{step}" if step else "zero"
