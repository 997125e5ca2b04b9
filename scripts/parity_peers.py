"""What captum, shap, lime and transformers compute for the parity table, as their users call them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import islice
from typing import Any
from unittest.mock import patch

import captum.attr as captum
import numpy as np
import shap
import torch
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from parity_models import Text
from torch import nn

from assay.explainers.gradient.smooth_grad import SmoothGrad
from assay.explainers.paths.expected_gradients import ExpectedGradients, points
from assay.explainers.perturbation.token_tree import token_tree
from assay.explainers.perturbation.units import units_of
from assay.tasks.randomness import generator

Peer = Callable[[Text, int], NDArray[np.floating]]  # text and class to (T,)


def at_entry(
    explainer: Callable[[nn.Module], Any], reduce: str, *, start: bool = False, **options: Any
) -> Peer:
    """A captum method where the first layer reads."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        point = text.entry.clone().requires_grad_(True)
        if start:
            options["baselines"] = text.start
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = explainer(text.forward).attribute(point, target=target, **options)
        return reduced(found.detach()[0], reduce)

    return peer


def reduced(values: torch.Tensor, how: str) -> NDArray[np.floating]:
    """(T,) from (T, D)."""
    if how == "l2":
        return values.norm(dim=-1).numpy()
    return (values.mean(dim=-1) if how == "mean" else values.sum(dim=-1)).numpy()


def at_layer(explainer: Callable[[Any, nn.Module], Any], **options: Any) -> Peer:
    """A captum method at BERT's first layer."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        layer = text.forward.get_submodule("network.bert.encoder.layer.0")
        found = explainer(text.forward, layer).attribute(
            text.entry, baselines=text.start, target=target, **options
        )
        return reduced((found[0] if isinstance(found, tuple) else found).detach()[0], "sum")

    return peer


def on_tokens(method: Callable[[Any], Any], **options: Any) -> Peer:
    """A captum method that removes tokens."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(text.logits).attribute(
                text.ids, baselines=text.masked, target=target, feature_mask=text.players, **options
            )
        return np.where(text.content, found[0].numpy(), 0)

    return peer


def window(text: Text, target: int) -> NDArray[np.floating]:
    """captum's Occlusion of two tokens at a time, special tokens apart."""
    content = torch.from_numpy(text.content)
    scores = np.zeros(len(text.content))
    if text.content.sum() < 2:  # captum refuses a window longer than the text
        ends = text.keep(np.array([[True], [False]]))
        scores[text.content] = ends[0, target] - ends[1, target]
        return scores

    def forward(inner: torch.Tensor) -> torch.Tensor:
        ids = text.ids.expand(len(inner), -1).clone()
        ids[:, content] = inner
        return text.logits(ids)

    with torch.no_grad():
        found = captum.Occlusion(forward).attribute(
            text.ids[:, content],
            sliding_window_shapes=(2,),
            baselines=text.masked[:, content],
            target=target,
        )
    scores[text.content] = found[0].numpy()
    return scores


def shap_kernel(text: Text, target: int) -> NDArray[np.floating]:
    """shap's KernelExplainer with every coalition."""
    n = int(text.content.sum())
    explainer = shap.KernelExplainer(lambda rows: text.keep(rows > 0.5)[:, target], np.zeros((1, n)))
    scores = np.zeros(len(text.content))
    scores[text.content] = explainer.shap_values(np.ones((1, n)), nsamples=2**n, silent=True, l1_reg=0)[0]
    return scores


def exact(text: Text, target: int) -> NDArray[np.floating]:
    """Shapley values by the sum over all subsets."""
    return text.exact[:, target]


def lime(text: Text, target: int) -> NDArray[np.floating]:
    """lime's own explainer over the tokens, as words of one letter each, with its own draws."""
    n = int(text.content.sum())
    words = " ".join(f"w{player}" for player in range(n))

    def predict(texts: list[str]) -> NDArray[np.float64]:
        rows = np.array([[f"w{player}" in one.split() for player in range(n)] for one in texts])
        return text.keep(rows)

    explainer = LimeTextExplainer(random_state=0, split_expression=r"\s+", feature_selection="none")
    found = explainer.explain_instance(words, predict, labels=(target,), num_features=n, num_samples=4000)
    scores = np.zeros(len(text.content))
    for feature, weight in found.local_exp[target]:
        at = int(found.domain_mapper.indexed_string.word(feature)[1:])
        scores[np.flatnonzero(text.content)[at]] = weight
    return scores


def attention(text: Text, target: int) -> NDArray[np.floating]:
    """transformers' attention of the last layer, from the first token, mean over heads."""
    network: Any = text.forward.network
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    with torch.no_grad():
        found = network(input_ids=text.ids, output_attentions=True).attentions[-1]
    network.set_attn_implementation(before)
    return found[0, :, 0].mean(dim=0).numpy()


def noise_tunnel(samples: int) -> Peer:
    """captum's NoiseTunnel of Saliency, with the noise that Assay draws."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        steps = iter(range(samples))
        seed = text.request.seed, SmoothGrad.name, text.request.example.id

        def normal(mean: float, spread: torch.Tensor) -> torch.Tensor:
            drawn = [
                generator(*seed, step).standard_normal(spread.shape[1:])
                for step in islice(steps, len(spread))
            ]
            return mean + spread * torch.from_numpy(np.stack(drawn)).float()

        with patch("torch.normal", normal):
            found: Any = captum.NoiseTunnel(captum.Saliency(text.forward)).attribute(
                text.entry.clone().requires_grad_(True),
                nt_type="smoothgrad",
                nt_samples=samples,
                nt_samples_batch_size=10,
                stdevs=0.1 * float(text.entry.max() - text.entry.min()),
                target=target,
            )
        return reduced(found.detach()[0], "mean")

    return peer


def gradient_shap(samples: int) -> Peer:
    """captum's GradientShap, at the points of the path that Assay draws."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        drawn = points(samples, text.request.seed, ExpectedGradients.name, text.request.example.id)
        with patch("numpy.random.uniform", lambda low, high, size: drawn):
            found: Any = captum.GradientShap(text.forward).attribute(
                text.entry, text.start, n_samples=samples, target=target
            )
        return reduced(found.detach()[0], "sum")

    return peer


def partition(text: Text, target: int) -> NDArray[np.floating]:
    """shap's PartitionExplainer on the tree that Assay builds from the tokens."""
    tree = token_tree(units_of(text.request, "token"))
    n = int(text.content.sum())
    scores = np.zeros(len(text.content))
    if n == 1:
        rows = text.keep(np.array([[False], [True]]))
        scores[text.content] = rows[1, target] - rows[0, target]
        return scores

    sizes = tree.members[n:].sum(axis=1)

    class Masker:
        shape = (1, n)
        clustering = np.column_stack([tree.children, np.arange(1.0, n), sizes])

        def __call__(self, mask: NDArray[np.bool_], row: NDArray[np.floating]) -> Any:
            return np.asarray(mask, dtype=float)[None]

    explainer: Any = shap.PartitionExplainer(lambda rows: text.keep(rows > 0.5), Masker())
    found = explainer(np.ones((1, n)), max_evals=2**14, silent=True)
    scores[text.content] = found.values[0][:, target]
    return scores
