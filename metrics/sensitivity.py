"""Max-sensitivity: how far can an explanation move when the text hardly does?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, softmax

from assay.metrics.cell_data import CellData, predicted
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.reexplaining import Text, explain, pick, table
from assay.metrics.targets import check_choice
from assay.models.masked_inputs import full_rows
from assay.tasks.arrays import Bools, Floats, Reals
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class MaxSensitivity(MetricBase):
    """Mean over texts x of the largest ||phi(x') - phi(x)|| / ||phi(x)|| over neighbours x'.

    phi are the scores of the content tokens and ||.|| is their Euclidean norm. Each x' has one token of x
    replaced by one of the `words` nearest tokens (cosine of their embeddings in the model) among all content
    tokens of the explained texts, so special tokens and untrained embeddings are excluded. Only those x'
    count for which the model decides as for x. Stochastic explainers are re-sampled for x', so sampling noise
    counts as sensitivity. A constant explainer also scores 0.

    Attributes:
        target: The classes (assay.metrics.targets).
        neighbours: Number of different x' drawn per text.
        words: Number of nearest tokens among which the replacement is drawn.
        texts: Largest number of x, chosen by `seed`.
        seed: The metric's own, so that all explainers of a model are judged on the same x and x'.

    Source: Yeh et al., NeurIPS 2019 (SENS_MAX). Deviations: there x' is any point within a radius of x, but
    words are discrete; there the norm of the change is not divided by that of phi(x), but scores of methods
    differ in scale; and an x' of another predicted class is left out, because its explanation should differ.
    """

    info = MetricInfo(
        "max_sensitivity",
        "Max-sensitivity",
        "lower",
        NONNEGATIVE,
        "above 0.7, the more the shorter the texts; a constant explainer gets 0",
        property="robustness",
        part="sensitivity",
        needs=frozenset({"explaining", "embeddings"}),
    )

    target: str = "predicted"
    neighbours: int = 10
    words: int = 10
    texts: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        if min(self.neighbours, self.words, self.texts) < 1:
            raise InputError(
                f"{self.name}: neighbours={self.neighbours}, words={self.words}, texts={self.texts}; "
                "expected at least 1 of each"
            )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per text and class: `sensitivity`, NaN where no x' is decided as x or phi(x) is 0, and `kept`, the
        number of x' that are."""
        texts = pick(subject, self.texts, self.seed, self.target, self.name)
        origins, beside = self._beside(subject, texts)
        origins, beside = _decided_alike(subject, origins, beside)
        found = explain(subject, subject.engine, beside, subject.draws, self.name)
        largest = [np.full(len(text.labels), np.nan) for text in texts]
        kept = [np.zeros(len(text.labels)) for text in texts]
        for at, other, scores in zip(origins, beside, found, strict=True):
            here = np.isin(texts[at].labels, other.labels)
            change = relative_change(other.scores, scores, other.encoding.content)
            largest[at][here] = np.fmax(largest[at][here], change)
            kept[at][here] += 1
        return table(
            texts,
            {
                "sensitivity": [float(value) for values in largest for value in values],
                "kept": [float(value) for values in kept for value in values],
            },
        )

    def _beside(self, subject: CellData, texts: Sequence[Text]) -> tuple[list[int], list[Text]]:
        """All x', each with the position of its x."""
        strings = _words(subject)
        known = np.array(sorted(strings), dtype=np.int32)
        near = min(self.words, len(known) - 1)
        if near < 1 or not texts:
            return [], []
        asked = np.unique(np.concatenate([np.intersect1d(text.encoding.ids, known) for text in texts]))
        closest = dict(
            zip(
                asked.tolist(),
                nearest(subject.engine.embed(known), known, asked, near).tolist(),
                strict=True,
            )
        )
        origins, found = [], []
        for at, text in enumerate(texts):
            encoding = text.encoding
            places = np.flatnonzero(encoding.content & np.isin(encoding.ids, known))
            options = len(places) * near
            rng = generator(self.seed, self.name, text.example.id)
            drawn = rng.choice(options, size=min(self.neighbours, options), replace=False) if options else []
            for number, option in enumerate(np.asarray(drawn, dtype=np.intp).tolist()):
                place = int(places[option // near])
                word = closest[int(encoding.ids[place])][option % near]
                origins.append(at)
                found.append(_replaced(text, place, word, strings[word], number))
        return origins, found


def relative_change(scores: Floats, others: Floats, content: Bools) -> Floats:
    """(M,) ||others - scores|| / ||scores|| over content tokens, from (M, T); NaN where the scores are 0."""
    length = np.linalg.norm(scores[:, content], axis=1)
    moved = np.linalg.norm((others - scores)[:, content], axis=1)
    return np.divide(moved, length, out=np.full(len(scores), np.nan), where=length > 0)


def nearest(
    vectors: Reals, known: NDArray[np.int32], asked: NDArray[np.int32], count: int
) -> NDArray[np.int32]:
    """(A, count) for each of `asked` (A,) the ids with the largest cosine, itself left out.

    vectors: (V, D) of the ids `known` (V,), which rise and hold all of `asked`; count < V.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1.0)
    at = np.searchsorted(known, asked)
    cosine = unit[at] @ unit.T
    cosine[np.arange(len(at)), at] = -np.inf
    return known[np.argsort(-cosine, axis=1, kind="stable")[:, :count]]


def _words(subject: CellData) -> dict[int, str]:
    """The content tokens of all explained texts but the unknown word: id to string."""
    model = subject.engine.model
    special = {model.pad_id, model.mask_id, getattr(model, "unk_id", None)}
    found: dict[int, str] = {}
    for shard in subject.shards:
        for encoding in shard.encodings:
            for at in np.flatnonzero(encoding.content).tolist():
                word, string = int(encoding.ids[at]), encoding.tokens[at]
                if word not in special:
                    # One of several spellings, whatever the order of the texts.
                    found[word] = min(string, found.get(word, string))
    return found


def _replaced(text: Text, place: int, word: int, string: str, number: int) -> Text:
    """The text with another token at a place. Its id is new, or explainers would repeat their draws."""
    encoding = text.encoding
    ids, tokens = encoding.ids.copy(), list(encoding.tokens)
    ids[place], tokens[place] = word, string
    example = replace(text.example, id=f"{text.example.id} beside {number}")
    return replace(text, example=example, encoding=replace(encoding, ids=ids, tokens=tuple(tokens)))


def _decided_alike(
    subject: CellData, origins: Sequence[int], beside: Sequence[Text]
) -> tuple[list[int], list[Text]]:
    """The x' with those of their labels on which the model decides as for x; of a single-label text, all."""
    logits = np.concatenate(
        [
            np.empty((0, len(subject.labels))),
            *subject.engine.logits([full_rows(text.encoding) for text in beside]),
        ]
    ).astype(np.float64)
    after = predicted(
        expit(logits) if subject.multi_label else softmax(logits, axis=1), multi_label=subject.multi_label
    )
    kept_origins, kept = [], []
    for at, text, decision in zip(origins, beside, after, strict=True):
        before = predicted(text.probabilities[None], multi_label=subject.multi_label)[0]
        alike = (
            decision == before if subject.multi_label else np.full(len(before), (decision == before).all())
        )
        same = alike[text.labels]
        if same.any():
            kept_origins.append(at)
            kept.append(replace(text, labels=text.labels[same], scores=text.scores[same]))
    return kept_origins, kept
