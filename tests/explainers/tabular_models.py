"""A classifier and a masked language model given by tables in double precision, over eight words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import torch
from explainer_models import encoding
from numpy.typing import NDArray
from scipy.special import expit, softmax

from assay.models.encoding import Encoding
from assay.models.protocol import Batch

PAD, MASK, CLS = 0, 1, 2
WORDS = np.arange(3, 11, dtype=np.int32)
IDS = 11
LENGTH = 4
# A special token and four words.
TEXT = encoding((CLS, 3, 7, 5, 10), specials=(0,))
Floats = NDArray[np.float64]


class TableClassifier:
    """Logits (IDS, IDS, IDS, IDS, K) of every text of four words."""

    pad_id, embedding_rows = PAD, IDS

    def __init__(self, table: Floats, *, multi_label: bool = False) -> None:
        self.table = torch.from_numpy(table)
        self.labels = tuple(f"class {k}" for k in range(table.shape[-1]))
        self.multi_label = multi_label
        self.mask_id: int | None = MASK

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        raise NotImplementedError

    def logits(self, batch: Batch) -> torch.Tensor:
        return self.table[tuple(batch.ids[:, 1:].T)]


class TableMaskedLM:
    """Log-probabilities (IDS, IDS, C) of a word between its left and its right neighbour."""

    mask_id, pad_id = MASK, PAD

    def __init__(self, probabilities: Floats, ids: NDArray[np.int32] = WORDS) -> None:
        with np.errstate(divide="ignore"):
            self.table = torch.from_numpy(np.log(probabilities))
        self.ids = ids

    def log_probabilities(self, batch: Batch, masked: torch.Tensor) -> torch.Tensor:
        ids = torch.nn.functional.pad(batch.ids, (1, 1), value=PAD)
        return self.table[ids[:, :-2][masked], ids[:, 2:][masked]]

    def of(self, ids: Sequence[int], place: int) -> Floats:
        """(C,) probabilities at a place of a text, written out once more."""
        left, right = ids[place - 1], ids[place + 1] if place + 1 < len(ids) else PAD
        return self.table[left, right].exp().numpy()


def classifier(*, multi_label: bool = False, classes: int = 3, scale: float = 2.0) -> TableClassifier:
    rng = np.random.default_rng(1)
    return TableClassifier(scale * rng.normal(size=(IDS,) * LENGTH + (classes,)), multi_label=multi_label)


def language_model(seed: int = 2, concentration: float = 0.5) -> TableMaskedLM:
    rng = np.random.default_rng(seed)
    return TableMaskedLM(rng.dirichlet(np.full(len(WORDS), concentration), size=(IDS, IDS)))


def probabilities(model: TableClassifier, ids: Sequence[int]) -> Floats:
    """(K,) of one text."""
    logits = model.table[tuple(ids[1:])].numpy()
    return expit(logits) if model.multi_label else softmax(logits)


def replaced(ids: Sequence[int], places: Sequence[int], words: Iterable[int | np.integer]) -> list[int]:
    text = list(ids)
    for place, word in zip(places, words, strict=True):
        text[place] = int(word)
    return text


def marginal(
    model: TableClassifier,
    mlm: TableMaskedLM,
    ids: Sequence[int],
    places: Sequence[int],
    *,
    joint: bool = True,
) -> Floats:
    """(K,) the sum over all words at all absent places of their probabilities times the classifier's."""
    masked = replaced(ids, places, [MASK] * len(places))
    total = np.zeros(len(model.labels))
    for words in product(range(len(WORDS)), repeat=len(places)):
        p = 1.0
        for place, word in zip(places, words, strict=True):
            context = masked if joint else replaced(ids, [place], [MASK])
            p *= mlm.of(context, place)[word]
        total += p * probabilities(model, replaced(ids, places, [WORDS[word] for word in words]))
    return total


def odds(p: Floats) -> Floats:
    return p / (1 - p)
