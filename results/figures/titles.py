"""Titles fitted to the room that they have, so that none is cut at an edge and the model's name stays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.textpath import TextPath

# Of the room this share is used: other fonts are a little wider than the one that is measured.
USED = 0.96
# Points between a title and the next panel.
GAP = 6.0
# A neighbour that ends so little lower, as a share of the figure's height, is beside a title, too.
REACH = 0.1
# No title is longer than that before its width is measured.
LONGEST = 160


def shortened(name: str, letters: int = 30) -> str:
    """The name with its middle left out if it is longer."""
    if len(name) <= letters:
        return name
    half = (letters - 1) // 2
    return f"{name[: letters - 1 - half]}…{name[-half:]}"


def fitted(title: str, points: float, size: float) -> str:
    """The title on one line, or else task and model on two, each with its middle left out if it is too wide.

    Args:
        title: such as "task / model"; lines that it has stay.
        points: the room.
        size: of the letters, in points.

    Example:
        >>> fitted("a / b", 100, 9), fitted("sentiment / minilm", 60, 9)
        ('a / b', 'sentiment\\nminilm')
    """
    lines = title.split("\n")
    if len(lines) == 1 and _width(shortened(title, LONGEST), size) > USED * points:
        lines = title.split(" / ", 1)
    return "\n".join(fitted_line(line, points, size) for line in lines)


def fitted_line(line: str, points: float, size: float) -> str:
    """One line with its middle left out if it is wider than so many points.

    Example:
        >>> fitted_line("a_very_long_name / minilm", 90, 9)
        'a_very… / minilm'
    """
    line = shortened(line, LONGEST)
    if _width(line, size) <= USED * points:
        return line
    # What was left out before is left out here, too.
    left, found, right = line.partition("…")
    if not found:
        left, right = line[: len(line) // 2], line[len(line) // 2 :]
    # How many letters are left of both sides, the longer of which loses one each time.
    kept = [(len(left), len(right))]
    while any(kept[-1]):
        one, other = kept[-1]
        kept.append((one - 1, other) if one >= other else (one, other - 1))
    cuts = [f"{left[:one]}…{right[len(right) - other :]}" for one, other in kept]
    # Measuring takes long, so not every length is tried.
    return cuts[bisect_left(cuts[:-1], True, key=lambda cut: _width(cut, size) <= USED * points)]


def place_titles(figure: Figure, layout: Callable[[], None]) -> None:
    """Lay a figure out with the left titles of its panels fitted to the room that they have there.

    Args:
        figure: with its panels.
        layout: places the panels; called again, on a higher figure, where titles take a second line.
    """
    shown = [axes for axes in figure.axes if axes.axison]
    titles = [(axes, text) for axes in shown if (text := _title(axes)) is not None]
    whole = [text.get_text() for _, text in titles]
    # The middle of a long title would be taken for a part of the panel.
    _hold_places(titles, whole)
    layout()
    rooms = _rooms(figure, shown)
    grown: dict[float, float] = {}
    for place, (axes, text) in enumerate(titles):
        size = float(text.get_fontsize())
        if fitted(whole[place], rooms[axes], size).count("\n") > whole[place].count("\n"):
            whole[place] = whole[place].replace(" / ", "\n", 1)
            grown[round(axes.get_position().y1, 2)] = 1.3 * size / 72
    if grown:
        figure.set_figheight(figure.get_figheight() + sum(grown.values()))
        _hold_places(titles, whole)
        layout()
        rooms = _rooms(figure, shown)
    for (axes, text), title in zip(titles, whole, strict=True):
        size = float(text.get_fontsize())
        text.set_text("\n".join(fitted_line(line, rooms[axes], size) for line in title.split("\n")))


def _hold_places(titles: list[tuple[Axes, Text]], whole: list[str]) -> None:
    """Write as many lines as the titles have, each of one letter."""
    for (_, text), title in zip(titles, whole, strict=True):
        text.set_text("\n".join("X" for _ in title.split("\n")))


def _title(axes: Axes) -> Text | None:
    given = axes.get_title("left")
    every = (one for one in axes.get_children() if isinstance(one, Text) and one.get_text() == given)
    return next(every, None) if given else None


def _rooms(figure: Figure, shown: list[Axes]) -> dict[Axes, float]:
    """Points from the left edge of each panel to the next one, or a legend, beside it, or to the edge."""
    for axes in shown:
        axes.apply_aspect()
    whole = 72 * float(figure.get_figwidth())
    boxes = {axes: axes.get_position() for axes in shown}
    legends = [
        legend.get_window_extent().transformed(figure.transFigure.inverted()) for legend in figure.legends
    ]
    rooms: dict[Axes, float] = {}
    for axes, own in boxes.items():
        beside = [
            other.x0
            for other in (*boxes.values(), *legends)
            if other.x0 >= own.x1 and other.y0 < own.y1 <= other.y1 + REACH
        ]
        rooms[axes] = whole * (min(beside, default=1.0) - own.x0) - GAP
    return rooms


@cache
def _width(text: str, size: float) -> float:
    """In points."""
    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0
