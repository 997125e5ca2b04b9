"""What captum, shap, lime and transformers compute for the parity table, as their users call them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, NamedTuple
from unittest.mock import patch

import captum.attr as captum
import numpy as np
import shap
import torch
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from parity_models import Text
from peers import removing, summed_up
from shap.maskers import Text as TextMasker
from torch import nn

from assay.explainers.gradient.smooth_grad import SmoothGrad
from assay.explainers.paths.expected_gradients import ExpectedGradients, points
from assay.tasks.randomness import generator


class Peer(NamedTuple):
    """A method of another library. scores: (T,) of a text and class."""

    name: str
    scores: Callable[[Text, int], NDArray[np.floating]]


def at_entry(explainer: Callable[[nn.Module], Any], reduce: str, **options: Any) -> Peer:
    """A captum method where the first layer reads; one that sums starts from the masked text."""

    def scores(text: Text, target: int) -> NDArray[np.floating]:
        entry = text.entry.clone().requires_grad_(True)
        start = {"baselines": text.start} if reduce == "sum" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = explainer(text.forward).attribute(entry, target=target, **start, **options)
        return summed_up(found[0], reduce)

    return Peer(f"captum {explainer.__name__}", scores)


def at_layer(explainer: Callable[[Any, nn.Module], Any], **options: Any) -> Peer:
    """A captum method at BERT's first layer."""

    def scores(text: Text, target: int) -> NDArray[np.floating]:
        layer = text.forward.get_submodule("network.bert.encoder.layer.0")
        found = explainer(text.forward, layer).attribute(
            text.entry, baselines=text.start, target=target, **options
        )
        return summed_up((found[0] if isinstance(found, tuple) else found)[0], "sum")

    return Peer(f"captum {explainer.__name__}", scores)


def on_tokens(explainer: Callable[[Any], Any], **options: Any) -> Peer:
    """A captum method that removes tokens."""
    return Peer(f"captum {explainer.__name__}", removing(explainer, **options))


@partial(Peer, "captum Occlusion")
def window(text: Text, target: int) -> NDArray[np.floating]:
    """Two tokens at a time, special tokens apart."""
    if text.content.sum() < 2:  # captum refuses a window longer than the text
        return text.exact[:, target]
    content = torch.from_numpy(text.content)

    def forward(inner: torch.Tensor) -> torch.Tensor:
        ids = text.ids.expand(len(inner), -1).clone()
        ids[:, content] = inner
        return text.logits(ids)

    ids, masked = text.ids[:, content], text.masked[:, content]
    with torch.no_grad():
        method = captum.Occlusion(forward)
        found = method.attribute(ids, sliding_window_shapes=(2,), baselines=masked, target=target)
    return text.on_content(found[0].numpy())


@partial(Peer, "shap KernelExplainer")
def shap_kernel(text: Text, target: int) -> NDArray[np.floating]:
    """With every coalition."""
    n = int(text.content.sum())
    explainer = shap.KernelExplainer(lambda rows: text.keep(rows > 0.5)[:, target], np.zeros((1, n)))
    found = explainer.shap_values(np.ones((1, n)), nsamples=2**n, silent=True, l1_reg=0)
    return text.on_content(found[0])


@partial(Peer, "enumeration")
def exact(text: Text, target: int) -> NDArray[np.floating]:
    """Shapley values by the sum over all subsets."""
    return text.exact[:, target]


@partial(Peer, "lime")
def lime(text: Text, target: int) -> NDArray[np.floating]:
    """Over the tokens, as words w0, w1, ..., with its own draws."""
    words = [f"w{player}" for player in range(text.content.sum())]

    def predict(texts: list[str]) -> NDArray[np.float64]:
        return text.keep(np.array([[word in row.split() for word in words] for row in texts]))

    explainer = LimeTextExplainer(random_state=0, split_expression=r"\s+", feature_selection="none")
    found = explainer.explain_instance(
        " ".join(words), predict, labels=(target,), num_features=len(words), num_samples=4000
    )
    weights = dict(found.as_list(label=target))
    return text.on_content([weights[word] for word in words])


@partial(Peer, "transformers")
def attention(text: Text, target: int) -> NDArray[np.floating]:
    """The attention of the last layer, from the first token, mean over heads."""
    network: Any = text.forward.network
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    with torch.no_grad():
        found = network(input_ids=text.ids, output_attentions=True).attentions[-1]
    network.set_attn_implementation(before)
    return found[0, :, 0].mean(dim=0).numpy()


def noise_tunnel(samples: int) -> Peer:
    """Of Saliency, with the noise that Assay draws."""

    def scores(text: Text, target: int) -> NDArray[np.floating]:
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
        return summed_up(found[0], "mean")

    return Peer("captum NoiseTunnel", scores)


def gradient_shap(samples: int) -> Peer:
    """At the points of the path that Assay draws."""

    def scores(text: Text, target: int) -> NDArray[np.floating]:
        drawn = points(samples, text.request.seed, ExpectedGradients.name, text.request.example.id)
        with patch("numpy.random.uniform", lambda low, high, size: drawn):
            found: Any = captum.GradientShap(text.forward).attribute(
                text.entry, text.start, n_samples=samples, target=target
            )
        return summed_up(found[0], "sum")

    return Peer("captum GradientShap", scores)


def partition(rows: int) -> Peer:
    """With so many evaluations, on the tree that shap's text masker makes."""

    def scores(text: Text, target: int) -> NDArray[np.floating]:
        (written,) = text.request.example.texts
        if len(text.content) == 1:  # shap has no tree of one leaf
            return text.exact[:, target]

        def tokenizer(text_of: str, return_offsets_mapping: bool = False) -> dict[str, Any]:
            # shap asks about the empty text how many special tokens there are.
            shown = np.full(len(text.content), bool(text_of)) | ~text.content
            ids, offsets = text.ids[0].numpy()[shown], text.request.encoding.offsets[shown]
            return {"input_ids": ids.tolist(), "offset_mapping": offsets.tolist()}

        def logits(ids: NDArray[np.integer]) -> NDArray[np.float64]:
            with torch.no_grad():
                return text.logits(torch.from_numpy(np.array(ids, dtype=np.int64))).double().numpy()

        mask_id = int(text.masked[0, text.content.argmax()])
        masker: Any = TextMasker(tokenizer, mask_token=mask_id, output_type="token_ids")
        explainer: Any = shap.PartitionExplainer(logits, masker)
        found = explainer([written], max_evals=rows, batch_size=5, silent=True)
        return found.values[0][:, target]

    return Peer("shap PartitionExplainer", scores)
