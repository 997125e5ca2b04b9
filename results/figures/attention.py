"""Attention of one text: all heads small, one head as words x words, and rollout layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from assay.results.figures.style import DARK, Drawing, render, style
from assay.results.figures.titles import shortened
from assay.results.inert import inert

Floats = NDArray[np.float64]
# More words than these cannot be read, and more layers or heads not told apart.
WORDS, SMALL = 30, 12
CELL, LETTERS = 0.24, 18
COLOURS = "Blues"


def head_figure(words: Sequence[str], weights: Floats, layer: int, head: int) -> Drawing:
    """Weights (W, W) of one head: a row per word that reads. layer, head: from 1."""
    shown = weights[:WORDS, :WORDS]
    with style("attention-head"):
        size = CELL * len(shown)
        figure = Figure(figsize=(size + 2.6, size + 1.9), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shown, cmap=COLOURS, vmin=0, vmax=_most(shown), aspect="equal")
        _name_columns(axes, words[:WORDS])
        axes.set_yticks(range(len(shown)), _named(words[:WORDS]))
        axes.set_ylabel("reads", color=DARK)
        axes.set_xlabel(f"is read{_cut(words)}", color=DARK)
        _cells(axes, shown.shape)
        axes.set_title(f"Layer {layer}, head {head}")
        _bar(figure, image, [axes], "attention")
        text = "Each row is what one word reads of every word, and sums to 1"
        return render(
            figure,
            f"attention-layer-{layer}-head-{head}",
            f"Attention of layer {layer}, head {head}",
            f"{text}{_cut(words)}.",
        )


def heads_figure(words: Sequence[str], weights: Floats) -> Drawing:
    """Weights (L, H, W, W): a row of small panels per layer, the highest on top."""
    layers, heads = weights.shape[:2]
    low, many = max(0, layers - SMALL), min(heads, SMALL)
    shown = weights[low:, :many, :WORDS, :WORDS]
    side = shown.shape[-1] + 1
    # One picture of all panels, a line apart: so many axes would take minutes to lay out.
    mosaic = np.full((side * len(shown) - 1, side * many - 1), np.nan)
    for row, of_layer in enumerate(shown[::-1]):
        for column, one in enumerate(of_layer):
            # Each against its own largest weight: some heads spread theirs over all words.
            place = np.s_[row * side : (row + 1) * side - 1, column * side : (column + 1) * side - 1]
            mosaic[place] = one / _most(one)
    with style("attention-heads"):
        figure = Figure(figsize=(0.72 * many + 1.6, 0.72 * len(shown) + 1.1), layout="constrained")
        axes = figure.subplots()
        axes.set_facecolor("#CCCCCC")
        axes.imshow(mosaic, cmap=COLOURS, vmin=0, vmax=1, aspect="equal", interpolation="nearest")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.set_xticks((np.arange(many) + 0.5) * side - 1, [str(at + 1) for at in range(many)])
        axes.set_yticks((np.arange(len(shown)) + 0.5) * side - 1, [str(at) for at in range(layers, low, -1)])
        axes.set_ylabel("layer", color=DARK)
        axes.xaxis.set_label_position("top")
        axes.set_xlabel("head", color=DARK)
        cut = [f"heads 1 to {many} of {heads}"] if many < heads else []
        cut += [f"layers {low + 1} to {layers} of {layers}"] if low else []
        darkest = f"darkest: each head's largest weight{_cut(words)}"
        said = "; ".join(["down: words that read", "across: words that are read", darkest, *cut])
        figure.supxlabel("\n".join(wrap(said, 12 * many + 28)), fontsize=7.5, color=DARK)
        text = f"A panel for every head of every layer; {said}."
        return render(figure, "attention-heads", "Attention of all heads", text)


def rollout_figure(words: Sequence[str], rolled: Floats) -> Drawing:
    """Rollout (L, W), layers from the bottom up."""
    shown = rolled[:, :WORDS]
    with style("attention-rollout"):
        size = (CELL * max(8, shown.shape[1]) + 2.2, CELL * len(shown) + 1.7)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        # The first token reads itself most by far, for half of each step stays with it.
        most = _most(shown[:, 1:]) if shown.shape[1] > 1 else 1.0
        image = axes.imshow(shown, cmap=COLOURS, vmin=0, vmax=most, origin="lower", aspect="auto")
        _name_columns(axes, words[:WORDS])
        axes.set_yticks(range(len(shown)), [str(at) for at in range(1, len(shown) + 1)])
        axes.set_ylabel("layer", color=DARK)
        axes.set_xlabel(f"word{_cut(words)}", color=DARK)
        _cells(axes, shown.shape)
        axes.set_title("Rollout: what the first token has read")
        _bar(figure, image, [axes], "share", extend="max" if most < shown.max() else "neither")
        text = "What the first token has read of every word up to each layer; rows sum to 1"
        return render(figure, "attention-rollout", "Attention rollout by layer", f"{text}{_cut(words)}.")


def _most(weights: Floats) -> float:
    return max(float(weights.max()), 1e-9)


def _named(words: Sequence[str]) -> list[str]:
    return [shortened(inert(word), LETTERS) for word in words]


def _cut(words: Sequence[str]) -> str:
    return f" (the first {WORDS} of {len(words)} words)" if len(words) > WORDS else ""


def _name_columns(axes: Axes, words: Sequence[str]) -> None:
    axes.set_xticks(range(len(words)), _named(words), rotation=60, ha="right", rotation_mode="anchor")


def _cells(axes: Axes, shape: tuple[int, ...]) -> None:
    """White lines between the cells."""
    axes.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _bar(
    figure: Figure,
    image: AxesImage,
    axes: list[Axes],
    label: str,
    extend: Literal["neither", "max"] = "neither",
) -> None:
    """extend: "max" where some values are above the scale."""
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=25, pad=0.02, extend=extend)
    bar.set_label(label)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
