"""The concepts of a layer for each class: how important they are, and the words that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.explainers.concepts.layer_concepts import LayerConcept
from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, render, style
from assay.results.figures.titles import shortened
from assay.results.inert import inert
from assay.results.minus import minus
from assay.results.panel_limit import PANEL_LIMIT, listed

# More concepts of a class than these, and letters of its words, nobody reads.
SHOWN, LETTERS = 12, 85


def layer_concepts_figure(
    by_label: Mapping[str, Sequence[LayerConcept]], layer: str, name: str = "layer-concepts"
) -> Drawing:
    """A panel per label, a bar per concept: its Sobol index, blue where the logit falls without the concept
    and orange where it rises; beside it by how much, and its words."""
    drawn = {label: concepts[:SHOWN] for label, concepts in list(by_label.items())[:PANEL_LIMIT]}
    heights = [0.26 * len(concepts) + 0.8 for concepts in drawn.values()]
    with style(name):
        figure = Figure(figsize=(9.5, sum(heights) + 0.2), layout="constrained")
        every = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights).ravel().tolist()
        for axes, (label, concepts) in zip(every, drawn.items(), strict=True):
            _concepts(axes, concepts)
            shown = "" if len(concepts) == len(by_label[label]) else f": {SHOWN} of {len(by_label[label])}"
            axes.set_title(f"{shortened(inert(label), 40)}{shown}")
        every[-1].set_xlabel("Sobol index", loc="left")
        said = (
            "The number: by how much the class's logit changes without the concept (blue falls, orange rises)"
        )
        figure.supxlabel(said, x=0.01, ha="left", fontsize=8, color=DARK)
        text = (
            f"The concepts of layer {layer} by their Sobol index for each class, how far the logit falls "
            "without each, and its words: "
        )
        return render(figure, name, f"Concepts of layer {layer}", text + listed(list(map(inert, by_label))))


def _concepts(axes: Axes, concepts: Sequence[LayerConcept]) -> None:
    places = range(len(concepts))
    colours = [COLOURS[0] if one.deletion >= 0 else COLOURS[1] for one in concepts]
    axes.barh(places, [one.sobol for one in concepts], height=0.65, color=colours)
    axes.set_yticks(places, [str(one.number) for one in concepts])
    axes.set_ylim(len(concepts) - 0.4, -0.6)
    axes.set_ylabel("concept")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    # Numbers and words stand where no bar reaches.
    axes.set_xlim(0, 3.3)
    axes.set_xticks([0, 1], ["0", "1"])
    for place, one in zip(places, concepts, strict=True):
        change = minus(f"{-one.deletion:+.2f}")
        axes.text(1.3, place, change, va="center", ha="right", fontsize=7.5, color=DARK)
        axes.text(1.38, place, _words(one), va="center", fontsize=7.5, color=DARK)
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)


def _words(concept: LayerConcept) -> str:
    """As many of its words as there is room for."""
    shown = ""
    for word, _ in concept.words:
        longer = f"{shown}   {shortened(inert(word), 18)}".strip()
        if len(longer) > LETTERS:
            break
        shown = longer
    return shown or "(no word)"
