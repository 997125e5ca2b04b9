"""Dataset consistency: do texts with similar activations get similar explanations?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase, MetricInfo
from assay.metrics.options import whole
from assay.metrics.resampling import distance_correlation
from assay.metrics.targets import require_every_class
from assay.metrics.text_pairs import choose_pairs, texts_at
from assay.tasks.arrays import Floats, Floats32, Ints, Reals
from assay.tasks.example import Example
from assay.tasks.randomness import generator

if TYPE_CHECKING:
    from assay.models.encoding import Encoding
    from assay.models.engine import Engine

# So many numbers are in the largest array at most, unless a single pair has more.
AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class DatasetConsistency(MetricBase):
    """Spearman correlation, over pairs of texts, of activation distance and explanation distance.

    Activations are averaged over the real tokens of a text per layer; the activation distance is the mean
    over layers of the mean absolute difference over units. An explanation becomes a vector over word types,
    the scores of a lower-cased word summed over its tokens and occurrences; the explanation distance is the
    mean absolute difference over the types of either text, a missing type being 0, averaged over all classes.

    Attributes:
        pairs: Largest number of similar and of different pairs each (assay.metrics.text_pairs).
        texts: Largest number of texts among which pairs are chosen, so that cost does not grow with the data.
        seed: Of the choice. The metric's own, so every explainer of a task is judged on the same pairs.

    Source: Atanasova et al. 2020.
    """

    info = MetricInfo(
        "dataset_consistency",
        "Dataset consistency (Spearman ρ)",
        "higher",
        SIGNED,
        "near 0, above it for scores of one sign: words that similar texts share cancel; see the random row",
        property="dataset consistency",
        part="explanation_distance",
        needs=frozenset({"activations", "all_targets", "labels"}),
        of_pairs=True,
        of_groups=True,
        summary=distance_correlation,
    )

    pairs: int = whole(2000, least=1)
    texts: int = whole(10_000, least=2)
    seed: int = 73

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per pair (`pair_name`): `activation_distance`, `explanation_distance`, `overlap`
        of the words, and `similar` (1 or 0).

        The subject's `activations`, if it has them, are what `pooled_activations` gives for all its examples;
        otherwise the model is queried for the texts that occur in pairs. Raises InputError when a class was
        not explained.
        """
        examples = [example for shard in subject.shards for example in shard.examples]
        pairs = choose_pairs(examples, self.pairs, generator(self.seed, self.name), self.texts)
        encodings, vectors = [], []
        for text in texts_at(subject, pairs.texts):
            require_every_class(text.scores, text.example, self.name)
            encodings.append(text.encoding)
            vectors.append(type_scores(text.example, text.encoding, text.scores))
        if subject.activations is None:
            layers = pooled_activations(subject.engine, encodings)
        else:
            layers = {name: layer[pairs.texts] for name, layer in subject.activations().items()}
        first, second = pairs.places()
        each = [
            np.abs(layer[first] - layer[second]).mean(axis=1, dtype=np.float64) for layer in layers.values()
        ]
        distances = np.mean(each, axis=0) if each else np.empty(len(pairs))
        return pairs.table(examples, distances, type_distances(vectors, first, second))


@dataclass(frozen=True, slots=True, eq=False)
class TypeScores:
    """An explanation without word order. types: (U,) the distinct words of a text, sorted. scores: (K, U)."""

    types: NDArray[np.str_]
    scores: Floats


def type_distances(texts: Sequence[TypeScores], first: Ints, second: Ints) -> Floats:
    """Mean absolute difference over the types of either text and all classes; NaN if neither has any.

    Args:
        texts: explanations of the same classes.
        first: (P,) places in `texts`.
        second: (P,) those of the texts they are compared with.

    Returns:
        (P,) distances.

    Example:
        >>> one, two = (TypeScores(np.array(words), np.ones((1, 2))) for words in (["a", "c"], ["b", "c"]))
        >>> type_distances([one, two], np.array([0]), np.array([1])).round(3).tolist()
        [0.667]
    """
    found = np.full(len(first), np.nan)
    if not texts:
        return found
    lengths = np.array([len(text.types) for text in texts])
    # Numbers sort as the words do.
    _, numbers = np.unique(np.concatenate([text.types for text in texts]), return_inverse=True)
    scores = np.concatenate([text.scores for text in texts], axis=1)
    starts = np.cumsum(lengths) - lengths
    for pairs in _blocks((lengths[first] + lengths[second]) * len(scores)):
        at = pairs.start
        sides = [_elements(starts, lengths, side[pairs]) for side in (first, second)]
        # A pair's types, behind those of the pairs before it.
        names = [pair * (numbers.max(initial=0) + 1) + numbers[element] for pair, element in sides]
        union, place = np.unique(np.concatenate(names), return_inverse=True)
        difference = np.zeros((len(scores), len(union)))
        difference[:, place[: len(names[0])]] += scores[:, sides[0][1]]
        difference[:, place[len(names[0]) :]] -= scores[:, sides[1][1]]
        sizes = np.bincount(union // (numbers.max(initial=0) + 1), minlength=len(first[pairs]))
        begin = np.cumsum(sizes) - sizes
        # Of equal sizes at once: sums keep their order.
        for size in np.unique(sizes[sizes > 0]):
            alike = np.flatnonzero(sizes == size)
            of_pairs = np.abs(difference[:, begin[alike][:, None] + np.arange(size)]).swapaxes(0, 1)
            found[at + alike] = np.ascontiguousarray(of_pairs).reshape(len(alike), -1).mean(axis=1)
    return found


def _blocks(sizes: Ints) -> Iterator[slice]:
    """Consecutive pairs of these sizes, AT_ONCE in all at most."""
    start, before = 0, np.cumsum(sizes) - sizes
    while start < len(sizes):
        end = max(start + 1, int(np.searchsorted(before + sizes, before[start] + AT_ONCE, side="right")))
        yield slice(start, end)
        start = end


def _elements(starts: Ints, lengths: Ints, texts: Ints) -> tuple[Ints, Ints]:
    """For every type of every text: the place of the text among `texts`, and where its type lies."""
    count = lengths[texts]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(texts)), count), np.repeat(starts[texts], count) + within


def type_scores(example: Example, encoding: Encoding, scores: Reals) -> TypeScores:
    """Scores (K, T) of content tokens, summed over the tokens and occurrences of each lower-cased word."""
    content = np.flatnonzero(encoding.content)
    _, first, word_at = np.unique(encoding.word_ids[content], return_index=True, return_inverse=True)
    start = np.full(len(first), np.iinfo(np.int32).max)
    end = np.zeros(len(first), dtype=np.int64)
    np.minimum.at(start, word_at, encoding.offsets[content, 0])
    np.maximum.at(end, word_at, encoding.offsets[content, 1])
    segment = encoding.segments[content][first]
    words = [
        example.texts[text][begin:stop].strip().lower()
        for text, begin, stop in zip(segment, start, end, strict=True)
    ]
    types, type_at = np.unique(np.array(words, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(types), len(scores)))
    np.add.at(sums, type_at[word_at], scores[:, content].T)
    return TypeScores(types, sums.T)


def pooled_activations(engine: Engine, encodings: Sequence[Encoding]) -> dict[str, Floats32]:
    """Layer name to (N, D), averaged over the real tokens (special ones too) of each text."""
    pooled: dict[str, Floats32] = {}
    for batch in engine.activations(encodings):
        real = batch.attention[:, :, None]
        for name, layer in batch.layers.items():
            if layer.ndim == 3:
                layer = np.where(real, layer, 0).sum(axis=1) / real.sum(axis=1)
            store = pooled.setdefault(name, np.empty((len(encodings), layer.shape[1]), dtype=np.float32))
            store[batch.index] = layer
    return pooled
