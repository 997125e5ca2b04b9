"""What captum's attribution classes read, promise and cost; what is not here is not offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay.explainers.peers.library import count

# What is attributed to: what the model's first layer reads, the layer that reads it (from token ids), or the
# token ids themselves, of which a replaced one is an absent token.
Reads = Literal["embeddings", "layer", "ids"]
# From tokens and arguments to forward and backward rows per target; None: not known.
Rows = Callable[[int, Mapping[str, Any]], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class CaptumMethod:
    """One attribution class.

    reads: what it attributes to. rows: its cost. baseline: whether it takes one. additive, draws: as in
    `assay.explainers.protocol.Traits`. modules: whether it hooks the network's modules. needs_relu: whether
    all it does happens in hooks of ReLU modules. defaults: arguments without which it does not run.
    """

    reads: Reads
    rows: Rows | None
    baseline: bool = False
    additive: bool = False
    draws: bool = False
    modules: bool = False
    needs_relu: bool = False
    defaults: Mapping[str, Any] | None = None


def _once(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    return 1, 1


def _steps(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    steps = count(arguments, "n_steps", 50)
    return steps, steps


def _layer_steps(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    # The layer's values at the text and at the baseline are read by whole passes.
    steps, _ = _steps(tokens, arguments)
    return steps + 2, steps


def _draws(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    samples = count(arguments, "n_samples", 5)
    return samples, samples


def _each(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    return tokens + 1, 0


def _samples(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    return count(arguments, "n_samples", 25), 0


def _orders(tokens: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    return count(arguments, "n_samples", 25) * tokens + 1, 0


METHODS: dict[str, CaptumMethod] = {
    "Deconvolution": CaptumMethod("embeddings", _once, modules=True, needs_relu=True),
    "DeepLift": CaptumMethod("embeddings", lambda n, a: (2, 2), baseline=True, additive=True, modules=True),
    "FeatureAblation": CaptumMethod("ids", _each, baseline=True),
    "GradientShap": CaptumMethod("embeddings", _draws, baseline=True, draws=True),
    "GuidedBackprop": CaptumMethod("embeddings", _once, modules=True, needs_relu=True),
    "InputXGradient": CaptumMethod("embeddings", _once),
    "IntegratedGradients": CaptumMethod("embeddings", _steps, baseline=True, additive=True),
    "KernelShap": CaptumMethod("ids", _samples, baseline=True, additive=True, draws=True),
    "LRP": CaptumMethod("embeddings", None, modules=True),
    "LayerGradientXActivation": CaptumMethod("layer", _once),
    "LayerIntegratedGradients": CaptumMethod("layer", _layer_steps, baseline=True, additive=True),
    "Lime": CaptumMethod("ids", _samples, baseline=True, draws=True),
    "Occlusion": CaptumMethod("ids", _each, baseline=True, defaults={"sliding_window_shapes": (1,)}),
    "Saliency": CaptumMethod("embeddings", _once),
    "ShapleyValueSampling": CaptumMethod("ids", _orders, baseline=True, additive=True, draws=True),
}
