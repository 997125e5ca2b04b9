"""The figure of calibration: what the model gives against how often it is so."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from assay.results.concepts.early import Bin, calibration_error
from assay.results.figures.style import COLOURS, GREY, Drawing, grid_lines, render, style
from assay.results.figures.titles import shortened
from assay.results.inert import inert


def calibration_figure(bins: Sequence[Bin], label: str) -> Drawing:
    """A dot per bin with the interval of its share; on the diagonal the probabilities are right."""
    name, label = "calibration", inert(label)
    with style(name):
        figure = Figure(figsize=(3.9, 3.6), layout="constrained")
        axes = figure.subplots()
        grid_lines(axes, "both")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=0.9)
        given = [each.given for each in bins]
        axes.vlines(given, [each.low for each in bins], [each.high for each in bins], color=COLOURS[0])
        axes.plot(given, [each.share for each in bins], "o", color=COLOURS[0], markersize=5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.set_xlabel(f"the model's probability of\n{shortened(label, 40)}")
        axes.set_ylabel("how often it is so")
        cases = sum(each.cases for each in bins)
        text = (
            f"The model's probability of “{label}” against how often it holds, in {len(bins)} bins of "
            f"{cases} cases, with 95 % intervals. On the dashed line probabilities are right. Mean distance "
            f"from it: {calibration_error(bins):.3f}."
        )
        return render(figure, name, "Calibration", text)
