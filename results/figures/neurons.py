"""The top neurons of each class with the words that drive them, and the curve of their ablation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.explainers.neurons.summary import Neuron
from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, grid_lines, panels, render, style
from assay.results.figures.titles import shortened
from assay.results.inert import inert
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.statistics.ablation_curve import AblationCurve

PANELS_PER_ROW = 2


def neurons_figure(by_label: Mapping[str, Sequence[Neuron]], layer: str, name: str = "neurons") -> Drawing:
    """A panel per label, a bar per neuron: its mean conductance; beside it the words that drive it."""
    drawn = dict(list(by_label.items())[:PANEL_LIMIT])
    heights = [0.26 * len(neurons) + 0.75 for neurons in drawn.values()]
    with style(name):
        figure = Figure(figsize=(9.5, sum(heights)), layout="constrained")
        every = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights).ravel().tolist()
        for axes, (label, neurons) in zip(every, drawn.items(), strict=True):
            _neurons(axes, neurons)
            axes.set_title(f"{shortened(inert(label), 40)}")
        every[-1].set_xlabel("mean conductance (logit)", loc="left")
        labels = listed(list(map(inert, by_label)))
        text = (
            f"The neurons of layer {layer} that speak most for each class, with the words that drive them: "
        )
        return render(figure, name, f"Top neurons of layer {layer}", text + labels)


def _neurons(axes: Axes, neurons: Sequence[Neuron]) -> None:
    places = range(len(neurons))
    axes.barh(places, [neuron.conductance for neuron in neurons], height=0.65, color=COLOURS[0])
    axes.set_yticks(places, [str(neuron.number) for neuron in neurons])
    axes.set_ylim(len(neurons) - 0.4, -0.6)
    axes.set_ylabel("neuron")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    largest = max(max((neuron.conductance for neuron in neurons), default=0.0), 1e-9)
    lowest = min(0.0, *(neuron.conductance for neuron in neurons))
    # The words stand in the right three quarters, where no bar reaches.
    axes.set_xlim(lowest, largest * 3.6)
    axes.set_xticks([0.0, largest], ["0", f"{largest:.2g}"])
    for place, neuron in zip(places, neurons, strict=True):
        words = "   ".join(f"{shortened(inert(word), 18)} {part:+.2g}" for word, part in neuron.words[:6])
        axes.text(largest * 1.05, place, words, va="center", fontsize=7.5, color=DARK)
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)


def ablation_figure(curves: Mapping[str, AblationCurve], layer: str, name: str = "ablation") -> Drawing:
    """A panel per label (or model): the mean fall of the logit without the top and without random neurons."""
    drawn = list(curves.items())[:PANEL_LIMIT]
    wide = min(PANELS_PER_ROW, len(drawn))
    with style(name):
        size = (3.4 * wide + 0.5, 2.7 * math.ceil(len(drawn) / wide) + 0.4)
        figure = Figure(figsize=size, layout="constrained")
        every = panels(figure, len(drawn), wide)
        for place, (axes, (label, curve)) in enumerate(zip(every, drawn, strict=True)):
            _curve(axes, curve)
            axes.set_title(f"{shortened(inert(label), 38)} ({curve.texts} texts)")
            axes.set_xlabel("neurons ablated")
            axes.set_ylabel("" if place % wide else "mean fall of the logit")
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=min(wide, 2))
        text = f"Mean fall of the logit without the top and without random neurons of layer {layer}, for "
        return render(figure, name, f"Without the top neurons of layer {layer}", text + listed(list(curves)))


def _curve(axes: Axes, curve: AblationCurve) -> None:
    grid_lines(axes, "both")
    lines = (
        ("neurons of the highest conductance", curve.top, curve.top_intervals, COLOURS[0], "o", "-"),
        ("random neurons", curve.random, curve.random_intervals, GREY, "s", "--"),
    )
    for label, values, intervals, colour, marker, dashes in lines:
        axes.plot(
            curve.counts,
            values,
            marker,
            linestyle=dashes,
            color=colour,
            markersize=4,
            linewidth=1.3,
            label=label,
        )
        low, high = zip(*((interval.low, interval.high) for interval in intervals), strict=True)
        axes.fill_between(curve.counts, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    # The last count is all of them, which may stand close to the one before.
    ticks = [count for count in curve.counts[:-1] if count * 1.6 < curve.counts[-1]] + [curve.counts[-1]]
    axes.set_xticks(ticks, [str(count) for count in ticks])
    axes.minorticks_off()
    axes.axhline(0, color=GREY, linewidth=0.6)
