"""Max-sensitivity: how far can an explanation move when the text hardly does?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import CellData, predicted
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.options import whole
from assay.metrics.reexplaining import Text, explain, pick, table
from assay.metrics.targets import decided, target_option
from assay.models.masked_inputs import full_rows
from assay.tasks.arrays import Bools, Floats, Reals
from assay.tasks.randomness import generator

# A changed text x' and the position of its x.
Neighbour = tuple[int, Text]


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
        needs=frozenset({"explaining", "changed_tokens", "embeddings"}),
    )

    target: str = target_option("predicted")
    neighbours: int = whole(10, least=1)
    words: int = whole(10, least=1)
    texts: int = whole(50, least=1)
    seed: int = 0

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per text and class: `sensitivity`, NaN where no x' is decided as x or phi(x) is 0, and `kept`, the
        number of x' that are."""
        texts = pick(subject, self.texts, self.seed, self.target, self.name)
        neighbours = _decided_alike(subject, self._neighbours(subject, texts))
        explanations = explain(
            subject, subject.engine, [text for _, text in neighbours], subject.request_seed, self.name
        )
        largest = [np.full(len(text.labels), np.nan) for text in texts]
        kept = [np.zeros(len(text.labels)) for text in texts]
        for (origin, text), scores in zip(neighbours, explanations, strict=True):
            labels = np.isin(texts[origin].labels, text.labels)
            change = relative_change(text.scores, scores, text.encoding.content)
            largest[origin][labels] = np.fmax(largest[origin][labels], change)
            kept[origin][labels] += 1
        parts = {"sensitivity": largest, "kept": kept}
        return table(texts, {part: list(chain.from_iterable(values)) for part, values in parts.items()})

    def _neighbours(self, subject: CellData, texts: Sequence[Text]) -> list[Neighbour]:
        """All x', whatever the model decides."""
        strings = _words(subject)
        vocabulary = np.array(sorted(strings), dtype=np.int32)
        near = min(self.words, len(vocabulary) - 1)
        if near < 1 or not texts:
            return []
        ids = np.intersect1d(np.concatenate([text.encoding.ids for text in texts]), vocabulary)
        replacements = nearest(subject.engine.embed(vocabulary), vocabulary, ids, near)
        closest = dict(zip(ids.tolist(), replacements.tolist(), strict=True))
        neighbours = []
        for origin, text in enumerate(texts):
            encoding = text.encoding
            places = np.flatnonzero(encoding.content & np.isin(encoding.ids, vocabulary))
            options = len(places) * near
            rng = generator(self.seed, self.name, text.example.id)
            drawn = rng.choice(options, size=min(self.neighbours, options), replace=False)
            for number, option in enumerate(drawn.tolist()):
                place = int(places[option // near])
                word = closest[int(encoding.ids[place])][option % near]
                neighbours.append((origin, _replaced(text, place, word, strings[word], number)))
        return neighbours


def relative_change(scores: Floats, others: Floats, content: Bools) -> Floats:
    """(M,) ||others - scores|| / ||scores|| over content tokens, from (M, T); NaN where the scores are 0."""
    length = np.linalg.norm(scores[:, content], axis=1)
    moved = np.linalg.norm((others - scores)[:, content], axis=1)
    return np.divide(moved, length, out=np.full(len(scores), np.nan), where=length > 0)


def nearest(
    vectors: Reals, vocabulary: NDArray[np.int32], ids: NDArray[np.int32], count: int
) -> NDArray[np.int32]:
    """(A, count) the ids of largest cosine with each of `ids` (A,), which is itself left out.

    vectors: (V, D) of the ids `vocabulary` (V,), which rise and hold all of `ids`; count < V.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1.0)
    rows = np.searchsorted(vocabulary, ids)
    cosine = unit[rows] @ unit.T
    cosine[np.arange(len(rows)), rows] = -np.inf
    return vocabulary[np.argsort(-cosine, axis=1, kind="stable")[:, :count]]


def _words(subject: CellData) -> dict[int, str]:
    """Id to string of the content tokens of all explained texts, but for the unknown word."""
    model = subject.engine.model
    special = {model.pad_id, model.mask_id, getattr(model, "unk_id", None)}
    strings: dict[int, str] = {}
    for shard in subject.shards:
        for encoding in shard.encodings:
            for token in np.flatnonzero(encoding.content).tolist():
                word, string = int(encoding.ids[token]), encoding.tokens[token]
                if word not in special:
                    # One of several spellings, whatever the order of the texts.
                    strings[word] = min(string, strings.get(word, string))
    return strings


def _replaced(text: Text, place: int, word: int, string: str, number: int) -> Text:
    """The text with another token at a place. Its id is new, or explainers would repeat their draws."""
    encoding = text.encoding
    ids, tokens = encoding.ids.copy(), list(encoding.tokens)
    ids[place], tokens[place] = word, string
    example = replace(text.example, id=f"{text.example.id} beside {number}")
    return replace(text, example=example, encoding=replace(encoding, ids=ids, tokens=tuple(tokens)))


def _decided_alike(subject: CellData, neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """The x' with those of their labels on which the model decides as for x; of a single-label text, all."""
    multi_label = subject.multi_label
    pool = [full_rows(text.encoding) for _, text in neighbours]
    kept = []
    for (origin, text), logits in zip(neighbours, subject.engine.logits(pool), strict=True):
        before = predicted(text.probabilities[None], multi_label=multi_label)[0]
        alike = decided(logits, multi_label=multi_label)[0] == before
        same = alike[text.labels] if multi_label else np.full(len(text.labels), alike.all())
        if same.any():
            kept.append((origin, replace(text, labels=text.labels[same], scores=text.scores[same])))
    return kept
