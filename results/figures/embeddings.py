"""The dimensions of an embedding table by their words, and how well intruders among them are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.explainers.embeddings.sparse_codes import extreme_words
from assay.metrics.embedding_tables import EmbeddingKnowledge, JudgedTable
from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, grid_lines, panels, render, style
from assay.results.figures.titles import shortened
from assay.results.inert import inert
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import Interval
from assay.results.statistics.means import mean_interval

PANELS_PER_ROW = 2
SHOWN_DIMENSIONS, SHOWN_WORDS = 12, 7


@dataclass(frozen=True, slots=True)
class TableScore:
    """Of one table: mean intrusion over its judged dimensions, with interval; dimensions that have too few
    words are counted as unjudged."""

    name: str
    intrusion: float
    interval: Interval
    judged: int
    unjudged: int
    accuracy: float
    macro_f1: float


def table_scores(found: EmbeddingKnowledge, bootstrap: Bootstrap) -> list[TableScore]:
    """A score per table; intervals are over dimensions."""
    scores = []
    for table in found.tables:
        values = table.intrusion[np.isfinite(table.intrusion)]
        mean = float(values.mean()) if len(values) else float("nan")
        interval = mean_interval(values, np.arange(len(values)), bootstrap)
        missing = len(table.intrusion) - len(values)
        scores.append(
            TableScore(table.name, mean, interval, len(values), missing, table.accuracy, table.macro_f1)
        )
    return scores


def intrusion_figure(
    by_model: Mapping[str, Sequence[TableScore]], chance: float, name: str = "intrusion"
) -> Drawing:
    """A panel per model, a bar per table with its interval; the line is what guessing finds."""
    drawn = list(by_model.items())[:PANEL_LIMIT]
    wide = min(PANELS_PER_ROW, len(drawn))
    down = -(-len(drawn) // wide)
    with style(name):
        figure = Figure(figsize=(3.2 * wide + 0.6, 1.75 * down + 0.3), layout="constrained")
        for place, axes in enumerate(panels(figure, len(drawn), wide)):
            model, scores = drawn[place]
            _bars(axes, scores, chance)
            axes.set_title(shortened(inert(model), 38))
            axes.set_xlabel("intruders told")
        text = (
            "The share of intruders told among the words of a dimension, by table, with 95 % intervals over "
        )
        text += f"dimensions; guessing tells {chance:.2f}. Of " + listed(list(by_model))
        return render(figure, name, "Word intrusion", text)


def _bars(axes: Axes, scores: Sequence[TableScore], chance: float) -> None:
    grid_lines(axes, "x")
    places = range(len(scores))
    colours = [COLOURS[2], COLOURS[0], GREY]
    axes.barh(
        places, [score.intrusion for score in scores], height=0.6, color=colours[: len(scores)], alpha=0.75
    )
    for place, score in zip(places, scores, strict=True):
        axes.hlines(place, score.interval.low, score.interval.high, color=DARK, linewidth=1.6)
        end = np.nanmax([score.intrusion, score.interval.high, 0.0])
        axes.text(end + 0.02, place, f"{score.intrusion:.2f}", va="center", fontsize=7.5)
    axes.axvline(chance, color=DARK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(places, [score.name for score in scores])
    axes.set_ylim(len(scores) - 0.45, -0.55)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.tick_params(axis="y", length=0)


def dimensions_figure(found: EmbeddingKnowledge, name: str, title: str) -> Drawing:
    """A panel for the sparse and one for the raw table: the dimensions that words use most, by their words.

    The bar is the share of intruders told.
    """
    tables = [table for table in found.tables if table.name != "random"]
    with style(name):
        figure = Figure(figsize=(9.5, len(tables) * (0.24 * SHOWN_DIMENSIONS + 0.75)), layout="constrained")
        for axes, table in zip(figure.subplots(len(tables), 1, squeeze=False).ravel(), tables, strict=True):
            _dimensions(axes, table, found)
            axes.set_title(f"{table.name} table of {shortened(inert(title), 60)}")
        text = f"The {SHOWN_DIMENSIONS} dimensions that words use most, by the words that have most of them."
        return render(figure, name, f"Dimensions of the embeddings of {inert(title)}", text)


def _dimensions(axes: Axes, table: JudgedTable, found: EmbeddingKnowledge) -> None:
    shown = most_used(table)[:SHOWN_DIMENSIONS]
    scores = np.nan_to_num(table.intrusion[shown])
    axes.barh(
        range(len(shown)), scores, height=0.6, color=COLOURS[2 if table.name == "sparse" else 0], alpha=0.75
    )
    axes.axvline(found.chance, color=DARK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(shown)), [str(at) for at in shown])
    axes.set_ylim(SHOWN_DIMENSIONS - 0.4, -0.6)
    axes.set_ylabel("dimension")
    axes.set_xlim(0, 4)
    axes.set_xticks([0, 1], ["0", "1"])
    axes.set_xlabel("intruders told", loc="left")
    for place, at in enumerate(shown):
        words = extreme_words(table.values[:, at], list(found.words), SHOWN_WORDS)
        axes.text(
            1.06, place, "   ".join(shortened(inert(word), 18) for word in words), va="center", fontsize=7.5
        )
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)


def most_used(table: JudgedTable) -> list[int]:
    """The dimensions by the sum of squares of their words' values, the largest first."""
    return np.argsort(-(table.values**2).sum(axis=0), kind="stable").tolist()
