"""captum, lime and shap as their users call them on a Hugging Face classifier: a text, a class at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import captum.attr as captum
import numpy as np
import torch
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from shap import Explainer as ShapExplainer
from shap.maskers import Text

from assay.models.transformer_model import TransformerModel


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one text.

    ids, masked: (1, T) of the text, and of the text with all but its special tokens masked. content: (T,)
    which are not special. logits: (R, K) of ids (R, T), every token attended to.
    """

    ids: torch.Tensor
    masked: torch.Tensor
    content: NDArray[np.bool_]
    logits: Callable[[torch.Tensor], torch.Tensor]

    @property
    def players(self) -> torch.Tensor:
        """(1, T) captum's feature mask; special tokens, which are the same when masked, share a feature."""
        numbers = np.cumsum(self.content) - 1
        return torch.from_numpy(numbers.clip(0))[None]


def removing(method: Callable[[Any], Any], **options: Any) -> Callable[[Tokens, int], NDArray[np.floating]]:
    """A captum method that removes tokens: (T,) scores of a text and class."""

    def scores(text: Tokens, target: int) -> NDArray[np.floating]:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(text.logits).attribute(
                text.ids, baselines=text.masked, target=target, feature_mask=text.players, **options
            )
        return np.where(text.content, found[0].numpy(), 0)

    return scores


def summed_up(values: torch.Tensor, how: str) -> NDArray[np.floating]:
    """(T,) from (T, D), by "l2", "mean" or "sum"."""
    ways = {"l2": torch.norm, "mean": torch.mean, "sum": torch.sum}
    return ways[how](values.detach(), dim=-1).numpy()


@dataclass(slots=True)
class Classifier:
    """A model of Assay's as a peer's user has it: a Hugging Face network and its tokenizer.

    rows: what the network was asked.
    """

    model: TransformerModel
    rows: int = 0

    def __post_init__(self) -> None:
        self.model.network.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: object, arguments: tuple, options: dict[str, Any]) -> None:
        inputs = options.get("input_ids", options.get("inputs_embeds"))
        assert isinstance(inputs, torch.Tensor)
        self.rows += len(inputs)

    def tokens(self, text: str) -> Tokens:
        """A text as captum's methods take it."""
        ids = self.model.tokenizer(text, return_tensors="pt")["input_ids"]
        content = np.ones(ids.shape[1], dtype=bool)
        content[[0, -1]] = False
        masked = torch.where(torch.from_numpy(content), int(self.model.mask_id or 0), ids)
        return Tokens(ids, masked, content, self.logits)

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, K) from ids (B, T), every token attended to."""
        return self.model.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

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


def on_tokens(method: Callable[[Any], Any], **options: Any) -> Peer:
    """A captum method that removes tokens."""
    scores = removing(method, **options)
    return lambda peer, text, target: scores(peer.tokens(text), target)


def on_embeddings(method: Callable[[torch.nn.Module], Any]) -> Peer:
    """A captum method with respect to the word embeddings, l2 per token."""

    def scores(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
        network = peer.model.network
        embeddings = network.get_input_embeddings()(peer.tokens(text).ids).detach().requires_grad_(True)
        return summed_up(method(_FromEmbeddings(network)).attribute(embeddings, target=target)[0], "l2")

    return scores


def integrated_gradients(peer: Classifier, text: str, target: int, steps: int = 50) -> NDArray[np.floating]:
    """captum's LayerIntegratedGradients at the embedding block."""
    tokens, block = peer.tokens(text), peer.model.network.base_model.get_submodule("embeddings")
    method: Any = captum.LayerIntegratedGradients(peer.logits, block)
    found = method.attribute(tokens.ids, baselines=tokens.masked, target=target, n_steps=steps)
    return summed_up(found[0], "sum")


def input_x_gradient(peer: Classifier, text: str, target: int) -> NDArray[np.floating]:
    """captum's LayerGradientXActivation at the embedding block, mean per token."""
    block = peer.model.network.base_model.get_submodule("embeddings")
    method: Any = captum.LayerGradientXActivation(peer.logits, block)
    return summed_up(method.attribute(peer.tokens(text).ids, target=target)[0], "mean")


def lime(
    peer: Classifier, text: str, targets: Sequence[int], rows: int = 1000, batch_size: int | None = 32
) -> None:
    """lime's LimeTextExplainer over words, all classes from one set of rows."""
    LimeTextExplainer(random_state=0).explain_instance(
        text, lambda texts: peer.predict(texts, batch_size), labels=tuple(targets), num_samples=rows
    )


def owen(peer: Classifier, text: str, rows: int = 500) -> NDArray[np.floating]:
    """shap's Explainer with the Text masker, all classes at once."""
    masker: Any = Text(peer.model.tokenizer)
    explainer: Any = ShapExplainer(lambda texts: peer.predict(list(texts), None), masker)
    return explainer([text], max_evals=rows, silent=True).values[0]


class _FromEmbeddings(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.network(inputs_embeds=embeddings).logits
