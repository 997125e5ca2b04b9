"""Does a model keep what assay.models.protocol promises? A quick check, above all for models users bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch

from assay.models.batching import pad
from assay.models.protocol import ActivationModel, Batch, EmbeddingModel, EntryModel, Model

PADDING = 5


def check_model(
    model: Model, texts: Sequence[tuple[str, ...]], *, tolerance: float = 1e-5, device: str = "cpu"
) -> list[str]:
    """What is wrong with a model, judged on a few texts of different lengths; empty if nothing was found.

    tolerance: largest absolute difference of logits, scaled by the largest logit if that is above 1.
    """
    members = ("labels", "multi_label", "pad_id", "mask_id", "encode", "logits")
    missing = [name for name in members if not hasattr(model, name)]
    if missing:
        return [f"the model has no {', '.join(missing)}"]
    encodings = model.encode(texts)
    together = pad(encodings, model.pad_id, device=device)
    with torch.no_grad():
        logits = model.logits(together)
    if logits.shape != (len(texts), len(model.labels)):
        return [
            f"logits of {len(texts)} texts and {len(model.labels)} labels have shape {tuple(logits.shape)}"
        ]
    if not torch.isfinite(logits).all():
        return ["logits are NaN or infinite"]
    bound = tolerance * max(1.0, float(logits.abs().max()))
    wider = pad(encodings, model.pad_id, width=together.ids.shape[1] + PADDING, device=device)
    problems = []
    with torch.no_grad():
        singly = [model.logits(pad([encoding], model.pad_id, device=device)) for encoding in encodings]
        if {tuple(row.shape) for row in singly} != {(1, len(model.labels))}:
            return ["logits of a text alone do not have one row and a column per label"]
        turned = pad(encodings[::-1], model.pad_id, device=device)
        comparisons = {
            "logits change from call to call (is dropout still on?)": model.logits(together),
            "logits depend on the length of the padding": model.logits(wider),
            "logits depend on the other texts of the batch": torch.cat(singly),
            "logits depend on the order of the batch": model.logits(turned).flip(0),
        }
    for problem, other in comparisons.items():
        difference = float((logits - other).abs().max())
        if not difference <= bound:
            problems.append(f"{problem}: they differ by {difference:.2g}")
    if isinstance(model, EmbeddingModel):
        problems += _check_embeddings(model, together, logits, bound)
    if isinstance(model, ActivationModel):
        problems += _check_activations(model, together, logits, bound)
    return problems


def _check_embeddings(model: Model, batch: Batch, logits: torch.Tensor, bound: float) -> list[str]:
    model = cast(EmbeddingModel, model)
    embeddings = model.embed(batch.ids).detach().requires_grad_(True)
    if embeddings.ndim != 3 or embeddings.shape[:2] != batch.ids.shape:
        return [f"embeddings of ids {tuple(batch.ids.shape)} have shape {tuple(embeddings.shape)}"]
    again = model.logits_from_embeddings(embeddings, batch)
    difference = float((logits - again.detach()).abs().max())
    if not difference <= bound:
        return [f"logits from embeddings differ from the logits by {difference:.2g}"]
    if isinstance(model, EntryModel):
        entered = model.logits_from_entry(model.enter(embeddings, batch), batch)
        difference = float((logits - entered.detach()).abs().max())
        if not difference <= bound:
            return [f"logits from the entry of the first layer differ from the logits by {difference:.2g}"]
    if not again.requires_grad:
        return ["no gradient flows from the logits to the embeddings"]
    (gradient,) = torch.autograd.grad(again.sum(), embeddings, allow_unused=True)
    if gradient is None:
        return ["no gradient flows from the logits to the embeddings"]
    if not torch.isfinite(gradient).all():
        return ["the gradient with respect to the embeddings is NaN or infinite"]
    if gradient[~batch.attention].abs().sum() > bound:
        return ["padding receives gradient, so the model reads it"]
    return []


def _check_activations(model: Model, batch: Batch, logits: torch.Tensor, bound: float) -> list[str]:
    with torch.no_grad():
        layers = cast(ActivationModel, model).activations(batch)
    last = next(reversed(layers.values()), None)
    if last is None or last.shape != logits.shape or float((last - logits).abs().max()) > bound:
        return ["the last of the activations is not the logits"]
    for name, layer in layers.items():
        if layer.ndim not in (2, 3) or layer.shape[: layer.ndim - 1] != batch.ids.shape[: layer.ndim - 1]:
            return [f"the layer {name!r} has shape {tuple(layer.shape)}; expected (B, T, D) or (B, D)"]
    return []
