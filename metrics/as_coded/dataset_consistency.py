"""Dataset consistency as the diagnostic study's script measures it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from assay.metrics.as_coded.layers import counted_layers
from assay.metrics.cell_data import CellData
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.model_pairs import text_layers
from assay.metrics.targets import require_all_explained
from assay.metrics.text_pairs import Pairs, texts_at
from assay.tasks.arrays import Floats, Floats32, Ints
from assay.tasks.errors import InputError
from assay.tasks.example import Example

if TYPE_CHECKING:
    from assay.models.encoding import Encoding
    from assay.models.engine import Engine

# What an id of the vocabulary scores in a text that does not hold it.
MISSING = 1e-7


@dataclass(frozen=True, slots=True)
class DatasetConsistencyAsCoded(MetricBase):
    """Spearman correlation, over pairs of texts, of how far activations and explanations are apart.

    Other than `DatasetConsistency`: pairs go by the bare number of shared words and by the texts' places in
    the data set (`draw_pairs`); activations are apart by the mean over layers of the
    absolute value of the signed mean difference, as if both texts were padded; explanations are those of
    class 0 alone, whatever is predicted, one number per vocabulary id, special tokens included, of which the
    last occurrence counts; an id that a text does not hold has 1e-7.

    pairs: at most so many similar and so many different ones. pool: the different ones are drawn from so
    many. padded: to how many tokens. seed: of the draw. embedding: whether its output counts as a layer; the
    scripts leave it out for BERT. Padding counts as 0, which is what it is where the padding token's
    embedding is 0, as in the word models; in a transformer the script's padding has activations of its own.
    Source: consist_data.py of Atanasova et al. 2020.
    """

    info = as_coded(DatasetConsistency.info, random_level="near 0: see the random row")

    pairs: int = 2000
    pool: int = 5000
    padded: int = 512
    seed: int = 73
    embedding: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= self.pool or self.padded < 1:
            raise InputError(
                f"{self.name}: pairs={self.pairs}, pool={self.pool}, padded={self.padded}; expected at least "
                "1 pair, a pool no smaller, and at least 1 token"
            )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per pair (`pair_name`): `activation_distance`, `explanation_distance`, `overlap`
        (the number of shared words), and `similar` (1 or 0).

        Raises InputError when a class was not explained.
        """
        examples = [example for shard in subject.shards for example in shard.examples]
        pairs = draw_pairs(examples, self.pairs, self.pool, random.Random(self.seed))
        for shard in subject.shards:
            require_all_explained(shard, subject.labels, self.name)
        encodings, scores = [], []
        for text in texts_at(subject, pairs.texts):
            encodings.append(text.encoding)
            scores.append(dict(zip(text.encoding.ids.tolist(), text.scores[0].tolist(), strict=True)))
        names, means = padded_means(subject.engine, encodings, self.padded)
        if len(pairs):
            counted = counted_layers(names, self.name, embedding=self.embedding)
            means = means[:, [names.index(name) for name in counted]]
        first, second = pairs.places()
        distances = np.abs(means[first] - means[second]).mean(axis=1)
        of_scores = [_distance(scores[one], scores[other]) for one, other in zip(first, second, strict=True)]
        return pairs.table(examples, distances, np.array(of_scores, dtype=np.float64))


def padded_means(engine: Engine, encodings: Sequence[Encoding], width: int) -> tuple[tuple[str, ...], Floats]:
    """The names of L layers, and their mean activations (N, L) over units and `width` tokens.

    Tokens beyond the text's are 0. A text of more tokens is not padded; layers with one vector per text are
    not, either.
    """
    means: dict[int, list[float]] = {}
    names: tuple[str, ...] = ()
    for text, layers in text_layers(engine, encodings):
        names = tuple(layers)
        means[text] = [_mean(layer, width) for layer in layers.values()]
    return names, np.array([means[text] for text in sorted(means)]) if means else np.empty((0, 1))


def _mean(layer: Floats32, width: int) -> float:
    """Of one text's layer (T, D), or (D,)."""
    if layer.ndim == 1:
        return float(layer.mean(dtype=np.float64))
    return float(layer.sum(dtype=np.float64)) / (max(width, len(layer)) * layer.shape[1])


def _distance(a: dict[int, float], b: dict[int, float]) -> float:
    """Mean absolute difference over the ids of either."""
    return float(
        np.mean([abs(a.get(id, MISSING) - b.get(id, MISSING)) for id in sorted(a.keys() | b.keys())])
    )


def draw_pairs(examples: Sequence[Example], pairs: int, pool: int, rng: random.Random) -> Pairs:
    """At most `pairs` similar and `pairs` different pairs of examples, by the number of words they share.

    Similar: equal labels and a word in common, those that share most. Different: other labels, a draw from
    the `pool` that share least. Equal numbers: in the order of the data set, so that where many share nothing
    the different pairs are all about the first few texts. Words are what stands between white space, in lower
    case, without English stop words; of a pair of texts those of the second. Examples of one picture, whose
    ids agree up to ".jpg", are no pair. Memory grows with the texts and `pool`, not with the pairs.

    The result's overlap is the number of shared words. Stop words are scikit-learn's, as those of the script
    are not shipped. Source: consist_data_sample_instance_pairs.py of Atanasova et al. 2020.
    """
    texts = len(examples)
    words = [_words(example) for example in examples]
    postings: dict[str, list[int]] = defaultdict(list)
    for text, own in enumerate(words):
        for word in own:
            postings[word].append(text)
    labels = _numbered([frozenset(example.labels) for example in examples])
    pictures = _numbered([example.id.split(".jpg")[0] for example in examples])
    similar, different = _First(pairs), _First(pool)
    for text, own in enumerate(words):
        sharing = [np.array(postings[word], dtype=np.intp) for word in own]
        shared = np.bincount(np.concatenate([np.empty(0, dtype=np.intp), *sharing]), minlength=texts)
        later = np.arange(text + 1, texts)
        later = later[pictures[later] != pictures[text]]
        equal = labels[later] == labels[text]
        alike, unlike = later[equal & (shared[later] > 0)], later[~equal]
        similar.offer(text, alike, -shared[alike])
        different.offer(text, unlike, shared[unlike])
    drawn = rng.sample(range(len(different)), min(pairs, len(different)))
    first, second, rank = np.concatenate([similar.columns, different.columns[:, drawn]], axis=1)
    return Pairs(first, second, np.abs(rank).astype(np.float64), np.arange(len(first)) < len(similar))


@dataclass(slots=True, eq=False)
class _First:
    """The first `size` of the pairs offered, by rising rank and then in the order offered.

    columns: (3, P) the first text, the second text and the rank of each pair.
    """

    size: int
    columns: Ints = field(default_factory=lambda: np.empty((3, 0), dtype=np.intp))

    def __len__(self) -> int:
        return self.columns.shape[1]

    def offer(self, first: int, second: Ints, rank: Ints) -> None:
        """Pairs of one text with others."""
        if len(self) == self.size:
            better = rank < self.columns[2, -1]
            second, rank = second[better], rank[better]
        if len(rank):
            offered = np.stack([np.full(len(second), first), second, rank])
            columns = np.concatenate([self.columns, offered], axis=1)
            self.columns = columns[:, np.argsort(columns[2], kind="stable")[: self.size]]


def _words(example: Example) -> frozenset[str]:
    return frozenset(example.texts[-1].lower().split()) - ENGLISH_STOP_WORDS


def _numbered(values: Sequence[object]) -> Ints:
    """(n,) a number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)
