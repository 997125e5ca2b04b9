"""captum, lime and shap as their users call them on a Hugging Face classifier: a text, a class at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import (
    FeatureAblation,
    GuidedBackprop,
    KernelShap,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    Saliency,
    ShapleyValueSampling,
)
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from shap import Explainer as ShapExplainer
from shap.maskers import Text

from assay.models.transformer_model import TransformerModel


@dataclass(slots=True)
class Classifier:
    """A model of ours as a peer's user has it: a Hugging Face network and its tokenizer.

    rows, tokens: what the network was asked, padding included.
    """

    model: TransformerModel
    rows: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        self.model.network.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: object, arguments: tuple, options: dict[str, Any]) -> None:
        given = options.get("input_ids", options.get("inputs_embeds"))
        assert isinstance(given, torch.Tensor)
        self.rows += given.shape[0]
        self.tokens += given.shape[0] * given.shape[1]

    def ids(self, text: str) -> torch.Tensor:
        """(1, T) token ids."""
        return self.model.tokenizer(text, return_tensors="pt")["input_ids"]

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, K) from ids (B, T), every token attended to."""
        return self.model.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

    def reference(self, ids: torch.Tensor) -> torch.Tensor:
        """The ids with [MASK] for all but the special tokens."""
        found = torch.full_like(ids, int(self.model.mask_id or 0))
        found[:, 0], found[:, -1] = ids[:, 0], ids[:, -1]
        return found

    def players(self, ids: torch.Tensor) -> torch.Tensor:
        """(1, T) captum's feature mask: a feature per content token, the special tokens with the first."""
        groups = torch.arange(ids.shape[1])[None] - 1
        return groups.clamp(0, ids.shape[1] - 3)

    def predict(self, texts: Sequence[str], batch_size: int | None) -> NDArray[np.float64]:
        """(N, K) probabilities of texts, in batches in the order given, or all at once."""
        size = batch_size or len(texts)
        found = []
        for start in range(0, len(texts), size):
            batch = self.model.tokenizer(list(texts[start : start + size]), padding=True, return_tensors="pt")
            with torch.no_grad():
                found.append(torch.softmax(self.model.network(**batch).logits, dim=-1))
        return torch.cat(found).double().numpy()


Peer = Callable[[Classifier, str, int], NDArray[np.floating]]  # text and class to scores


def occlusion(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
    """captum's FeatureAblation of single tokens."""
    ids = peer.ids(text)
    found = FeatureAblation(peer.logits).attribute(
        ids, baselines=peer.reference(ids), target=target, feature_mask=peer.players(ids)
    )
    return found[0].numpy()


def kernel_shap(peer: Classifier, text: str, target: int, rows: int = 200) -> NDArray[np.floating]:
    """captum's KernelShap."""
    ids = peer.ids(text)
    with torch.no_grad():
        found = KernelShap(peer.logits).attribute(
            ids,
            baselines=peer.reference(ids),
            target=target,
            feature_mask=peer.players(ids),
            n_samples=rows,
        )
    return found[0].numpy()


def shapley_sampling(
    peer: Classifier, text: str, target: int, permutations: int = 25
) -> NDArray[np.floating]:
    """captum's ShapleyValueSampling."""
    ids = peer.ids(text)
    found = ShapleyValueSampling(peer.logits).attribute(
        ids,
        baselines=peer.reference(ids),
        target=target,
        feature_mask=peer.players(ids),
        n_samples=permutations,
    )
    return found[0].numpy()


def lime(
    peer: Classifier, text: str, targets: Sequence[int], rows: int = 1000, batch_size: int | None = 32
) -> dict[int, NDArray[np.floating]]:
    """lime's LimeTextExplainer over words, all classes from one set of rows."""
    explainer = LimeTextExplainer(random_state=0)
    found = explainer.explain_instance(
        text,
        lambda texts: peer.predict(texts, batch_size),
        labels=tuple(targets),
        num_samples=rows,
    )
    return {target: np.array([weight for _, weight in sorted(found.as_map()[target])]) for target in targets}


def owen(peer: Classifier, text: str, rows: int = 500) -> NDArray[np.floating]:
    """shap's Explainer with the Text masker, all classes at once."""
    masker: Any = Text(peer.model.tokenizer)
    explainer: Any = ShapExplainer(lambda texts: peer.predict(list(texts), None), masker)
    return explainer([text], max_evals=rows, silent=True).values[0]


def integrated_gradients(peer: Classifier, text: str, target: int, steps: int = 50) -> NDArray[np.floating]:
    """captum's LayerIntegratedGradients at the embedding block."""
    ids = peer.ids(text)
    block = peer.model.network.base_model.get_submodule("embeddings")
    found = LayerIntegratedGradients(peer.logits, block).attribute(
        ids, baselines=peer.reference(ids), target=target, n_steps=steps
    )
    assert isinstance(found, torch.Tensor)
    return found[0].sum(dim=-1).detach().numpy()


def saliency(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
    """captum's Saliency with respect to the word embeddings, l2 per token."""
    ids = peer.ids(text)
    embeddings = peer.model.network.get_input_embeddings()(ids).detach().requires_grad_(True)
    found = Saliency(_FromEmbeddings(peer.model.network)).attribute(embeddings, target=target)
    return found[0].norm(dim=-1).numpy()


def input_x_gradient(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
    """captum's LayerGradientXActivation at the embedding block, mean per token."""
    ids = peer.ids(text)
    block = peer.model.network.base_model.get_submodule("embeddings")
    found = LayerGradientXActivation(peer.logits, block).attribute(ids, target=target)
    assert isinstance(found, torch.Tensor)
    return found[0].mean(dim=-1).detach().numpy()


def guided_backprop(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
    """captum's GuidedBackprop with respect to the word embeddings, l2 per token; without ReLU a gradient."""
    ids = peer.ids(text)
    embeddings = peer.model.network.get_input_embeddings()(ids).detach().requires_grad_(True)
    found = GuidedBackprop(_FromEmbeddings(peer.model.network)).attribute(embeddings, target=target)
    assert isinstance(found, torch.Tensor)
    return found[0].norm(dim=-1).detach().numpy()


class _FromEmbeddings(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.network(inputs_embeds=embeddings).logits
