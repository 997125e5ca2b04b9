"""A small world with known answers for the metric tests: an additive model of words and its explainers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.metrics.cell_data import CellData, Checks, Shard
from assay.metrics.long_table import wide
from assay.models.counters import Answer
from assay.models.encoding import Encoding
from assay.models.masked_inputs import MaskedInputs
from assay.tasks.example import Example, Rationale, Span

ABSENT, SPECIAL = 0, 1
KEYWORDS = ("awful", "plain", "great")
FILLER = ("the", "film", "is", "a", "story", "of", "two", "people")
VOCABULARY = {word: at + 2 for at, word in enumerate((*KEYWORDS, *FILLER))}
LABELS = ("negative", "neutral", "positive")


@dataclass
class Activations:
    index: NDArray[np.intp]
    layers: dict[str, NDArray[np.float32]]
    attention: NDArray[np.bool_]


@dataclass
class BagModel:
    """logits = bias + sum of the weights (V, K) of the tokens; the special token has a weight too."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    labels: tuple[str, ...] = LABELS
    multi_label: bool = False
    pad_id: int = ABSENT
    mask_id: int | None = ABSENT

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        return [encode(text[0]) for text in texts]


@dataclass
class BagEngine:
    """Counts the calls of `logits`; `batch` is how many texts share an activation batch."""

    model: BagModel
    batch: int = 3
    calls: int = 0

    def logits(self, pool: Sequence[MaskedInputs]) -> list[NDArray[np.float32]]:
        self.calls += 1
        answers = []
        for rows in pool:
            real = np.arange(rows.ids.shape[1]) < rows.lengths[:, None]
            summed = (self.model.weights[rows.ids] * real[:, :, None]).sum(axis=1)
            answers.append((self.model.bias + summed).astype(np.float32))
        return answers

    def answers(self, pool: Sequence[MaskedInputs]) -> list[Answer]:
        return [Answer(logits.astype(np.float64), len(logits), 0) for logits in self.logits(pool)]

    def activations(self, encodings: Sequence[Encoding]) -> Iterator[Activations]:
        order = np.argsort([len(encoding) for encoding in encodings], kind="stable")
        for start in range(0, len(order), self.batch):
            index = order[start : start + self.batch]
            width = max(len(encodings[at]) for at in index)
            # Padding holds rubbish: whoever averages over it is found out.
            tokens = np.full((len(index), width, len(self.model.bias)), 1e3, dtype=np.float32)
            attention = np.zeros((len(index), width), dtype=bool)
            for row, at in enumerate(index):
                tokens[row, : len(encodings[at])] = self.model.weights[encodings[at].ids]
                attention[row, : len(encodings[at])] = True
            logits = (tokens * attention[:, :, None]).sum(axis=1) + self.model.bias
            yield Activations(index, {"tokens": tokens, "logits": logits.astype(np.float32)}, attention)


class Substitute(Baseline):
    """The removal operator: an absent token becomes the token that weighs nothing."""

    name: ClassVar[str] = "substitute"
    policy: ClassVar[str] = "becomes the token that weighs nothing"

    def rows(self, model: Any, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        assert keep[:, ~encoding.content].all(), "special tokens must stay"
        ids = np.where(keep, encoding.ids, model.pad_id).astype(np.int32)
        return MaskedInputs(ids, np.zeros_like(ids), np.full(len(ids), len(encoding), dtype=np.int32))


def encode(text: str, *, specials: bool = True) -> Encoding:
    """Words split at spaces, between two special tokens."""
    tokens, ids, offsets, word_ids, start = [], [], [], [], 0
    for at, word in enumerate(text.split()):
        start = text.index(word, start)
        tokens.append(word)
        ids.append(VOCABULARY[word.lower()])
        offsets.append((start, start + len(word)))
        word_ids.append(at)
        start += len(word)
    if specials:
        tokens = ["[CLS]", *tokens, "[SEP]"]
        ids = [SPECIAL, *ids, SPECIAL]
        offsets = [(0, 0), *offsets, (0, 0)]
        word_ids = [-1, *word_ids, -1]
    length = len(tokens)
    return Encoding(
        tuple(tokens),
        np.array(ids, dtype=np.int32),
        np.zeros(length, dtype=np.int32),
        np.array(offsets, dtype=np.int32).reshape(length, 2),
        np.array(word_ids, dtype=np.int32),
    )


def example(name: str, text: str, labels: Sequence[int], keywords: Sequence[str] = ()) -> Example:
    """An example whose rationale is every listed keyword."""
    spans = tuple(Span(text.index(word), text.index(word) + len(word)) for word in keywords)
    return Example(name, (text,), tuple(labels), (Rationale(spans),) if spans else ())


def keyword_examples(count: int, seed: int = 0) -> list[Example]:
    """Texts of filler with one keyword at a random place, which is the label's cause and the rationale."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(count):
        words = rng.choice(FILLER, size=int(rng.integers(3, 12))).tolist()
        words.insert(int(rng.integers(len(words) + 1)), KEYWORDS[at % 3])
        made.append(example(f"t{at:04d}", " ".join(words), [at % 3], [KEYWORDS[at % 3]]))
    return made


def keyword_model(strength: float = 4.0, seed: int = 0, *, multi_label: bool = False) -> BagModel:
    """Each keyword speaks for its class; filler adds a little noise; without a keyword class 0 wins."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.05, size=(len(VOCABULARY) + 2, 3))
    weights[ABSENT] = 0.0
    for label, word in enumerate(KEYWORDS):
        weights[VOCABULARY[word]] = -strength / 2
        weights[VOCABULARY[word], label] = strength
    return BagModel(weights, np.array([0.5, 0.0, -0.5]), multi_label=multi_label)


Explainer = Callable[[Example, Encoding, BagModel], NDArray[np.float64]]


def oracle(example: Example, encoding: Encoding, model: BagModel) -> NDArray[np.float64]:
    """(K, T) exact contributions of the tokens, 0 on special tokens."""
    return model.weights[encoding.ids].T * encoding.content


def inverted(example: Example, encoding: Encoding, model: BagModel) -> NDArray[np.float64]:
    return -oracle(example, encoding, model)


def constant(example: Example, encoding: Encoding, model: BagModel) -> NDArray[np.float64]:
    return np.ones((len(model.labels), len(encoding))) * encoding.content


@dataclass
class Noise:
    """Scores from U[0, 1) that depend on the example alone."""

    seed: int = 0

    def __call__(self, example: Example, encoding: Encoding, model: BagModel) -> NDArray[np.float64]:
        rng = np.random.default_rng([self.seed, *example.id.encode()])
        return rng.random((len(model.labels), len(encoding))) * encoding.content


@dataclass
class World:
    """Examples and a model, from which subjects are made."""

    examples: list[Example]
    model: BagModel = field(default_factory=keyword_model)

    def shards(
        self, explainer: Explainer, *, size: int = 7, only: Callable[[int], NDArray[np.bool_]] | None = None
    ) -> list[Shard]:
        engine = BagEngine(self.model)
        made = []
        for start in range(0, len(self.examples), size):
            examples = self.examples[start : start + size]
            encodings = [encode(item.texts[0]) for item in examples]
            width = max(len(encoding) for encoding in encodings)
            scores = np.zeros((len(examples), len(self.model.labels), width), dtype=np.float32)
            content = np.zeros((len(examples), width), dtype=bool)
            for row, encoding in enumerate(encodings):
                scores[row, :, : len(encoding)] = explainer(examples[row], encoding, self.model)
                content[row, : len(encoding)] = encoding.content
                if only is not None:
                    scores[row, ~only(start + row)] = np.nan
            pool = [Substitute().rows(self.model, e, np.ones((1, len(e)), dtype=bool)) for e in encodings]
            logits = np.concatenate(engine.logits(pool)).astype(np.float64)
            if self.model.multi_label:
                probabilities = 1 / (1 + np.exp(-logits))
            else:
                exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
                probabilities = exponent / exponent.sum(axis=1, keepdims=True)
            costs = [Cost(forward_rows=2, backward_rows=1, tokens=9, seconds=0.5) for _ in examples]
            checks = Checks(*(np.full(scores.shape[:2], value) for value in (2.0, -0.5, 0.75)))
            made.append(Shard(examples, encodings, probabilities, scores, content, costs, lambda c=checks: c))
        return made

    def subject(self, explainer: Explainer, *, size: int = 7, seed: int = 0, **options: Any) -> CellData:
        engine: Any = BagEngine(self.model)
        removal: Any = Substitute()
        return CellData(
            self.shards(explainer, size=size, **options),
            self.model.labels,
            self.model.multi_label,
            engine,
            removal,
            seed,
        )


def value(metric: Any, table: pd.DataFrame) -> float:
    """THE value of a metric: its summary of all units."""
    units, _, parts = wide(table)
    return float(metric.summarise(parts, np.arange(len(units))[None])[0])


def scored(metric: Any, subject: CellData) -> float:
    return value(metric, metric.score(subject))


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Of scipy, an independent implementation."""
    result: Any = spearmanr(x, y)
    return float(result.statistic)


def same_table(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Assert that two long tables hold the same rows in whatever order."""
    order = ["unit", "target", "part"]
    a, b = (table.sort_values(order, ignore_index=True) for table in (a, b))
    pd.testing.assert_frame_equal(a, b, check_exact=True)
