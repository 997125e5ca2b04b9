"""The most important numbers of a pooled vector, each a bar that is named by the words that reach it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, grid_lines, panels, render, style
from assay.results.figures.titles import shortened
from assay.results.minus import minus

NAME = "pooled-words"
FOR, AGAINST = COLOURS[0], COLOURS[1]
# In inches.
BAR, WIDTH = 0.27, 2.5
PANELS_PER_ROW = 2


class NamingWord(NamedTuple):
    """A word that reaches a dimension.

    part: what it adds. fewer: whether it does so by reaching it less often than elsewhere.
    """

    word: str
    part: float
    fewer: bool

    @property
    def name(self) -> str:
        """The word, with an arrow where there is less of it."""
        return f"{self.word} ↓" if self.fewer else self.word


@dataclass(frozen=True, slots=True)
class Dimension:
    """A number of a pooled vector.

    number: its place in the vector. value: what it adds to the logit. words: those that reach it, the
    strongest first, each with its part of the value.
    """

    number: int
    value: float
    words: tuple[NamingWord, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """title: above the bars. axis: what they measure. dimensions: from the top."""

    title: str
    axis: str
    dimensions: tuple[Dimension, ...]


def pooled_words(drawn: Sequence[Panel]) -> Drawing:
    """A panel for each, a bar per dimension, with the colour of what the words that name it speak for.

    A bar to the right adds to the logit of the class.
    """
    bars = [bar for panel in drawn for bar in panel.dimensions]
    wide = min(len(drawn), PANELS_PER_ROW)
    down = math.ceil(len(drawn) / wide)
    rows = max(len(panel.dimensions) for panel in drawn)
    with style(NAME):
        across = wide * (WIDTH + 0.4 + 0.065 * max(len(_name(bar)) for bar in bars))
        figure = Figure(figsize=(max(across, 4.4), down * (BAR * rows + 0.8) + 0.45), layout="constrained")
        for axes, panel in zip(panels(figure, len(drawn), wide), drawn, strict=True):
            _bars(axes, panel)
        key = [Patch(color=FOR, label="words for the class"), Patch(color=AGAINST, label="against it")]
        if any(word.fewer for bar in bars for word in bar.words):
            key.append(Patch(alpha=0, label="↓  reaches it less here than in the other texts"))
        columns = len(key) if wide > 1 else 2
        figure.legend(handles=key, loc="outside lower left", ncols=columns, columnspacing=1.2)
        titles = "; ".join(panel.title for panel in drawn)
        text = f"The most important numbers of a pooled vector, each named by its words, for {titles}"
        return render(figure, NAME, "Important words", text)


def _bars(axes: Axes, panel: Panel) -> None:
    values = [bar.value for bar in panel.dimensions]
    places = range(len(values))
    axes.barh(places, values, height=0.72, color=[_colour(bar) for bar in panel.dimensions])
    axes.axvline(0, color=DARK, linewidth=0.8)
    for place, value in zip(places, values, strict=True):
        side = 1 if value >= 0 else -1
        axes.annotate(
            minus(f"{value:+.2g}"), (value, place), (3 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=7.5, color=GREY,
        )  # fmt: skip
    axes.set_yticks(places, [_name(bar) for bar in panel.dimensions])
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.margins(x=0.2)
    grid_lines(axes, "x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(panel.axis)
    axes.set_title(panel.title)


def _colour(bar: Dimension) -> str:
    """What the words do where they stand; a bar of fewer words against the class leads to the right."""
    fewer = bool(bar.words) and bar.words[0].fewer
    return FOR if (bar.value >= 0) != fewer else AGAINST


def _name(bar: Dimension) -> str:
    words = ", ".join(shortened(word.name, 16) for word in bar.words)
    return f"{words or '–'}  ({bar.number})"
