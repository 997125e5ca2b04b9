"""Explaining some of a cell's texts once more, and comparing two explanations of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.long_table import long
from assay.metrics.targets import chosen, require_explained
from assay.metrics.ties import centred_ranks
from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.sampling import rank

if TYPE_CHECKING:
    from assay.models.encoding import Encoding
    from assay.models.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A text of T tokens.

    Attributes:
        example: The example.
        encoding: Its encoding.
        labels: (M,) the classes whose explanations are compared.
        probabilities: (K,) the model's output.
        scores: (M, T) the cell's explanation of each of `labels`; a changed text keeps that of the original.
    """

    example: Example
    encoding: Encoding
    labels: Ints
    probabilities: Floats
    scores: Floats


def pick(subject: CellData, texts: int, seed: int, target: str, metric: str) -> list[Text]:
    """At most `texts` texts with their classes that `target` selects (assay.metrics.targets.CHOICES).

    Chosen and ordered by their ids and the seed alone, so every explainer is judged on the same ones.
    Raises InputError when such a class was not explained.
    """
    picked: list[Text] = []
    for shard in subject.shards:
        targets = chosen(shard, target, multi_label=subject.multi_label)
        require_explained(shard, targets, subject.labels, metric)
        for text, labels in zip(shard.texts(), map(np.flatnonzero, targets), strict=True):
            if len(labels):
                scores = text.scores[labels].astype(np.float64)
                picked.append(Text(text.example, text.encoding, labels, text.probabilities, scores))
        picked = sorted(picked, key=lambda text: rank(text.example.id, seed))[:texts]
    return picked


def explain(subject: CellData, engine: Engine, texts: Sequence[Text], seed: int, metric: str) -> list[Floats]:
    """Per text the (M, T) scores of its labels, all texts explained in one pool.

    engine: the subject's, or that of a changed model. seed: the requests'. Raises InputError when the
    subject has no explainer.
    """
    # The explainers' floor imports torch, which importing a metric must not.
    from assay.explainers.protocol import Request

    if subject.explain is None:
        raise InputError(f"{metric} explains texts once more, but the subject has no explainer; give it one")
    requests = [Request(text.example, text.encoding, text.labels, seed) for text in texts]
    explained = subject.explain(engine, requests) if requests else []
    return [np.stack([one.scores for one in explanations]).astype(np.float64) for explanations in explained]


def agreements(texts: Sequence[Text], others: Sequence[Floats], *, absolute: bool = False) -> list[float]:
    """For every label of every text the rank agreement of its scores with others (M, T), over content
    tokens; of their sizes if `absolute`."""
    correlations = []
    for text, other in zip(texts, others, strict=True):
        pairs = np.stack([text.scores, other], axis=1)[:, :, text.encoding.content]
        correlations += [rank_agreement(*pair) for pair in (np.abs(pairs) if absolute else pairs)]
    return correlations


def rank_agreement(a: Floats, b: Floats) -> float:
    """Spearman rank correlation of two explanations (n,) of the same tokens, -1 to 1.

    Ties (`assay.metrics.ties`) share their mean rank. Two constant
    explanations say the same, 1; a constant one says nothing of another's order, 0. NaN for fewer than two
    tokens.
    """
    if len(a) < 2:
        return float("nan")
    x, y = (centred_ranks(scores) for scores in (a, b))
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / scale, -1.0, 1.0)) if scale > 0 else float(np.array_equal(x, y))


def table(texts: Sequence[Text], parts: dict[str, list[float]]) -> pd.DataFrame:
    """The long table of values that have one entry for every label of every text."""
    units = [text.example.id for text in texts for _ in text.labels]
    return long(units, parts, np.array([label for text in texts for label in text.labels], dtype=np.int32))
