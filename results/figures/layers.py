"""Layers by tokens: by which layer of a model it is told which tokens of a text are needless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.results.figures.style import DARK, Drawing, render, style
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import heading
from assay.results.inert import inert
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import grouped
from assay.results.shown import ShownScores, ShownText

NAME = "layers"
# More tokens of a text than these cannot be read.
TOKENS = 30
WIDTH, ROW, COLUMN = 1.9, 0.26, 0.26


def layers_figure(texts: Sequence[ShownText]) -> Drawing | None:
    """A panel for each group and method that explains by layers, of its first text with a token that has a
    score at a layer; None if there is none."""
    pairs = [(text, one) for text in texts for one in text.explanations if _has_scores(text, one)]
    by_group = grouped(pairs, lambda pair: (pair[0].group, pair[1].method))
    if not by_group:
        return None
    groups = listed([group.title for group, _ in by_group])
    drawn = [found[0] for found in list(by_group.values())[:PANEL_LIMIT]]
    sizes = [(len(one.layers), len(_tokens(text)[0])) for text, one in drawn]
    heights = [ROW * layers + 1.15 for layers, _ in sizes]
    with style(NAME):
        across = WIDTH + COLUMN * max(4, *(tokens for _, tokens in sizes)) + 0.8
        figure = Figure(figsize=(max(across, 4.6), sum(heights)), layout="constrained")
        every = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0]
        images = [_panel(axes, text, one) for axes, (text, one) in zip(every, drawn, strict=True)]
        for axes, (text, one) in zip(every, drawn, strict=True):
            axes.set_title(f"{heading(text.group, 34)}: {one.method.title}, {shortened(text.id, 24)}")
        bar = figure.colorbar(images[0], ax=list(every), shrink=0.7, ticks=[0, 0.5, 1], aspect=14, pad=0.02)
        bar.set_label("needed")
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        told = f"Which tokens of a text are still needed by every layer, for {groups}"
        return render(figure, NAME, "How decisions emerge: layers by tokens", told)


def _has_scores(text: ShownText, one: ShownScores) -> bool:
    """Whether some token has a score at some layer: not of a text of special tokens alone."""
    return one.by_layer is not None and bool(one.by_layer[:, text.content].any())


def _tokens(text: ShownText) -> tuple[list[str], np.ndarray]:
    """The first content tokens, as they are written, and their places."""
    places = np.flatnonzero(text.content)[:TOKENS]
    spans = [(int(text.segments[at]), *map(int, text.offsets[at])) for at in places]
    return [inert(text.texts[segment][start:end]) for segment, start, end in spans], places


def _panel(axes: Axes, text: ShownText, shown: ShownScores):
    """The layers from the bottom up; the row of the scores themselves is marked."""
    tokens, places = _tokens(text)
    assert shown.by_layer is not None
    image = axes.imshow(
        shown.by_layer[:, places], cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto"
    )
    axes.set_xticks(range(len(tokens)), [shortened(token, 14) for token in tokens], rotation=60, ha="right")
    axes.tick_params(length=0)
    axes.set_yticks(range(len(shown.layers)), [shortened(name, 14) for name in shown.layers])
    for number, name in enumerate(axes.get_yticklabels()):
        if np.array_equal(shown.by_layer[number], shown.scores):
            name.set_fontweight("bold")
    # White lines between the cells.
    axes.set_xticks(np.arange(len(tokens) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(shown.layers) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    cut = int(text.content.sum()) - len(tokens)
    if cut:
        axes.set_xlabel(f"the first {len(tokens)} of {len(tokens) + cut} tokens", color=DARK, fontsize=8)
    return image
