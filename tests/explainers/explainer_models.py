"""Hand-made models in double precision, and explainer requests for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Explainer, Request
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import Batch, Pool
from assay.tasks.example import Example, Rationale, Span

PAD, MASK, CLS, WORDS, WIDTH = 0, 1, 2, 30, 4
Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class HandModel:
    """A classifier whose `forward` is one expression of embeddings (B, T, D) and attention (B, T, 1)."""

    pad_id = PAD
    embedding_rows = WORDS

    def __init__(
        self, forward: Forward, classes: int, *, multi_label: bool = False, mask: bool = True
    ) -> None:
        self.forward = forward
        self.labels = tuple(f"class {k}" for k in range(classes))
        self.multi_label = multi_label
        self.mask_id: int | None = MASK if mask else None
        self.table = torch.randn(
            WORDS, WIDTH, generator=torch.Generator().manual_seed(5), dtype=torch.float64
        )

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        raise NotImplementedError

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table[ids]

    def logits(self, batch: Batch) -> torch.Tensor:
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.forward(embeddings, batch.attention[..., None].to(embeddings.dtype))


def _weights(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(classes: int = 3, *, multi_label: bool = False, order: Sequence[int] | None = None) -> HandModel:
    """A smooth model in which tokens and their places interact; `order` permutes its classes."""
    hidden = _weights(WIDTH, 6, 1)
    out = _weights(6, classes, 2)[:, list(order or range(classes))]

    def shares(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        place = torch.arange(1, embeddings.shape[1] + 1, dtype=embeddings.dtype)[:, None]
        return embeddings * attention / place.sqrt()

    def head(vector: torch.Tensor) -> torch.Tensor:
        return torch.tanh(vector @ hidden / 2) @ out

    def pools(entry: torch.Tensor, batch: Batch) -> list[Pool]:
        values = shares(entry, batch.attention[..., None].to(entry.dtype))
        return [Pool(True, values.sum(dim=1), values)]

    model = HandModel(lambda e, a: head(shares(e, a).sum(dim=1)), classes, multi_label=multi_label)
    model.__dict__.update(pools=pools, logits_from_pooled=head)
    return model


def additive(classes: int = 3) -> tuple[HandModel, NDArray[np.float64]]:
    """A bag of words, and its (WORDS, K) contributions of each word beyond the zero vector."""
    out = _weights(WIDTH, classes, 3)
    model = HandModel(lambda e, a: (e * a).sum(dim=1) @ out + 0.5, classes)
    return model, (model.table @ out).numpy()


def conjunction(first: int, second: int) -> HandModel:
    """Logit 1 is 1 where both words occur, else 0; logit 0 is always 0."""
    model = HandModel(lambda e, a: torch.zeros(1), 2)
    table = torch.zeros(WORDS, WIDTH, dtype=torch.float64)
    table[first, 0] = table[second, 1] = 1
    model.table = table

    def forward(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        found = (embeddings * attention).amax(dim=1)
        both = found[:, 0] * found[:, 1]
        return torch.stack([torch.zeros_like(both), both], dim=1)

    model.forward = forward
    return model


def encoding(ids: Sequence[int], specials: Sequence[int] = ()) -> Encoding:
    """An encoding of ids, of which those at the places `specials` are special tokens."""
    words = np.cumsum([at not in specials for at in range(len(ids))]).astype(np.int32) - 1
    words[list(specials)] = -1
    segments, offsets = np.zeros(len(ids), np.int32), np.zeros((len(ids), 2), np.int32)
    # Every token of the text is one letter.
    offsets[words >= 0] = np.arange((words >= 0).sum())[:, None] + [0, 1]
    return Encoding(tuple(map(str, ids)), np.array(ids, np.int32), segments, offsets, words)


def request(
    ids: Sequence[int], targets: Sequence[int] = (0, 1, 2), *, specials: Sequence[int] = (), seed: int = 0
) -> Request:
    """A request for an example named by its ids, whose first word was marked for its label 0."""
    text = "x" * (len(ids) - len(specials))
    example = Example("-".join(map(str, ids)), (text,), (0,), (Rationale((Span(0, 1),)),))
    return Request(example, encoding(ids, specials), np.array(targets, dtype=np.intp), seed)


def explain(
    explainer: Explainer,
    model,
    requests: Sequence[Request],
    baseline: Baseline | None,
    budget: int | None = None,
) -> list[list[Explanation]]:
    return explainer.explain(Engine(model, budget=budget), requests, baseline)


def scores(found: Sequence[Explanation]) -> NDArray[np.float32]:
    """(M, T) scores of one request's explanations."""
    return np.stack([record.scores for record in found])


def values(model, baseline: Baseline, encoding: Encoding, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(K,) logits of an encoding of which only `keep` (T,) is left; tokens are put in by hand, one by one."""
    ids, segments, gone = [], [], []
    for at in range(len(encoding)):
        absent = not keep[at]
        if absent and baseline.name == "delete":
            continue
        token = {"pad": model.pad_id, "mask": model.mask_id}.get(baseline.name, int(encoding.ids[at]))
        ids.append(token if absent else int(encoding.ids[at]))
        segments.append(int(encoding.segments[at]))
        gone.append(absent and baseline.name == "zero")
    if not ids:
        ids, segments, gone = [model.pad_id], [0], [False]
    row = torch.tensor([ids])
    batch = Batch(row, torch.ones_like(row, dtype=torch.bool), torch.tensor([segments]))
    with torch.inference_mode():
        embeddings = model.embed(row).clone()
        embeddings[0, torch.tensor(gone)] = 0
        return model.logits_from_embeddings(embeddings, batch)[0].double().numpy()


def shapley(model, baseline: Baseline, encoding: Encoding) -> NDArray[np.float64]:
    """(T, K) exact Shapley values of the content tokens by the sum over all subsets, 0 on special tokens."""
    players = [int(at) for at in np.flatnonzero(encoding.content)]
    worth: dict[frozenset[int], NDArray[np.float64]] = {}
    for size in range(len(players) + 1):
        for subset in combinations(players, size):
            keep = ~encoding.content
            keep[list(subset)] = True
            worth[frozenset(subset)] = values(model, baseline, encoding, keep)
    exact = np.zeros((len(encoding), len(model.labels)))
    n = len(players)
    for subset, value in worth.items():
        for player in players:
            if player not in subset:
                share = factorial(len(subset)) * factorial(n - len(subset) - 1) / factorial(n)
                exact[player] += share * (worth[subset | {player}] - value)
    return exact
