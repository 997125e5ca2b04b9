"""The words of each class by every explainer, as heat maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from assay.results.figures.agreement import HATCH, shade
from assay.results.figures.style import DARK, TITLE_PLACE, Drawing, render, style
from assay.results.figures.titles import fitted, shortened
from assay.results.inert import inert
from assay.results.panel_limit import PANEL_LIMIT
from assay.results.records import Method, grouped
from assay.results.word_columns import GlobalWordRow

NAME = "global_words"
SHOWN = 12
# In inches.
ROW, CELL, PANELS_PER_ROW = 0.19, 0.27, 3

# By explainer and word the mean attribution, as a share of the explainer's largest for the class.
Shares = Mapping[Method, Mapping[str, float]]


def words_figures(rows: Sequence[GlobalWordRow], controls: Set[str] = frozenset()) -> list[Drawing]:
    """A figure per group, a panel per class: its words with the largest attributions, a column per explainer.

    Attributions of different explainers have different units, so each column is a share of its largest.
    """
    return [call() for call in words_calls(rows, controls)]


def words_calls(
    rows: Sequence[GlobalWordRow], controls: Set[str] = frozenset()
) -> list[Callable[[], Drawing]]:
    """What draws each of `words_figures`."""
    by_group = grouped([row for row in rows if row.explainer not in controls], lambda row: row.group)
    several = len(by_group) > 1
    found: list[Callable[[], Drawing]] = []
    for place, (group, of_group) in enumerate(list(by_group.items())[:PANEL_LIMIT], 1):
        labels = {
            label: _shares(of_label)
            for label, of_label in list(grouped(of_group, lambda row: row.label).items())[:PANEL_LIMIT]
        }
        name = f"{NAME}-{place}" if several else NAME
        found.append(partial(_drawing, name, group.title, labels))
    return found


def _shares(rows: Sequence[GlobalWordRow]) -> Shares:
    by_method = grouped(rows, lambda row: Method(row.explainer, row.baseline))
    shares: dict[Method, dict[str, float]] = {}
    for method, some in by_method.items():
        largest = max(abs(row.value) for row in some) or 1.0
        shares[method] = {row.word: row.value / largest for row in some}
    return shares


def top_words(shares: Shares, count: int = SHOWN) -> list[str]:
    """The words with the largest mean share by size over the explainers; 0 where one does not list it."""
    words = dict.fromkeys(word for of_method in shares.values() for word in of_method)
    total = {word: sum(abs(some.get(word, 0.0)) for some in shares.values()) for word in words}
    return sorted(total, key=lambda word: (-total[word], word))[:count]


def _drawing(name: str, title: str, labels: Mapping[str, Shares]) -> Drawing:
    methods = list(dict.fromkeys(method for shares in labels.values() for method in shares))
    chosen = {label: top_words(shares) for label, shares in labels.items()}
    letters = max(len(shortened(inert(word), 16)) for words in chosen.values() for word in words)
    most = max(len(words) for words in chosen.values())
    below = max(len(shortened(method.title, 28)) for method in methods)
    panel = 0.2 + 0.07 * letters + CELL * len(methods) + 0.15
    wide = max(1, min(len(labels), PANELS_PER_ROW, int(11 / panel)))
    down = math.ceil(len(labels) / wide)
    with style(name):
        size = (max(wide * panel + 0.4, 4.6), down * (ROW * most + 0.4) + 0.064 * below + 0.75)
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(down, wide, squeeze=False).ravel().tolist()
        for place, (axes, (label, shares)) in enumerate(zip(every, labels.items(), strict=False)):
            lowest = place + wide >= len(labels)
            _panel(axes, label, chosen[label], shares, methods if lowest else [], methods, most)
        for unused in every[len(labels) :]:
            unused.set_axis_off()
        figure.suptitle(fitted(title, 72 * 0.98 * size[0], 9.5), x=0.01, ha="left", fontsize=9.5)
        key = [
            Patch(facecolor=shade(0.8), label="for the class"),
            Patch(facecolor=shade(-0.8), hatch=HATCH, edgecolor="white", linewidth=0, label="against it"),
        ]
        figure.legend(handles=key, loc="outside lower left", ncols=2, columnspacing=1.2)
        listed = ", ".join(map(inert, labels))
        text = f"{title}: the words with the largest mean attributions for {listed}, a column per explainer."
        return render(figure, name, "The words of each class", text)


def _panel(
    axes: Axes,
    label: str,
    words: Sequence[str],
    shares: Shares,
    named: Sequence[Method],
    methods: Sequence[Method],
    rows: int,
) -> None:
    for row, word in enumerate(words):
        for column, method in enumerate(methods):
            value = shares.get(method, {}).get(word)
            if value is None:
                continue
            hatch = HATCH if value < -0.005 else None
            corner = (column - 0.46, row - 0.44)
            box = Rectangle(corner, 0.92, 0.88, facecolor=shade(value), hatch=hatch, linewidth=0)
            box.set_edgecolor("white")
            axes.add_patch(box)
    axes.set_xlim(-0.5, len(methods) - 0.5)
    axes.set_ylim(max(rows, len(words)) - 0.5, -0.5)
    axes.set_yticks(range(len(words)), [shortened(inert(word), 16) for word in words], fontsize=7.5)
    titles = [shortened(method.title, 28) for method in named]
    axes.set_xticks(range(len(named)), titles, rotation=90, fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(shortened(inert(label), 30), fontsize=8.5, color=DARK, y=TITLE_PLACE)
