"""A model's own call on one text, past everything that Assay does: what its answers are compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from assay.models.protocol import Model
from assay.models.transformer_model import TransformerModel


def own_call(model: Model, device: str = "cpu") -> Callable[[tuple[str, ...]], Tensor] | None:
    """The function from one text, or pair, to its (1, K) logits in the order of the labels.

    That is the member `own_logits` of a model that has one: a black box, its function on the text as it is
    written. Of a transformers model it is its tokenizer and its network as their documentation calls them.
    None for a model that has no other call than that of `logits` on encodings.
    """
    own = getattr(model, "own_logits", None)
    if own is None and isinstance(model, TransformerModel):
        return partial(_transformers_call, model, device)
    return own


def _transformers_call(model: TransformerModel, device: str, text: tuple[str, ...]) -> Tensor:
    second = text[1] if len(text) == 2 else None
    inputs = model.tokenizer(text[0], second, return_tensors="pt").to(device)
    with torch.no_grad():
        logits = model.network(**inputs).logits
    names = {int(at): str(name) for at, name in (model.network.config.id2label or {}).items()}
    outputs = [names[at] for at in range(len(names))]
    return logits[:, [outputs.index(label) for label in model.labels]]
