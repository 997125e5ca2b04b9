"""What a metric may look at: one cell's explanations, shard by shard, and the engine to ask the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from assay.explainers.explanation import Cost
from assay.metrics.rows import Parts
from assay.tasks.arrays import Bools, Floats, Floats32, Ints
from assay.tasks.example import Example

if TYPE_CHECKING:
    from assay.explainers.baselines import Baseline
    from assay.explainers.explanation import Explanation
    from assay.explainers.protocol import Request
    from assay.models.encoding import Encoding
    from assay.models.engine import Engine

    # Explanations of requests by the cell's explainer and baseline, one list per request, of the model behind
    # the engine: the cell's own or a changed one.
    Explain = Callable[[Engine, Sequence[Request]], list[list[Explanation]]]


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """What explanations say of themselves, (N, K) each; NaN where undefined or not explained.

    effect: f(x) - f(baseline). gap: what the scores leave of it. reliability: see
    `assay.explainers.reliability`.
    """

    effect: Floats
    gap: Floats
    reliability: Floats


def _unchecked() -> Checks:
    raise NotImplementedError("these shards were made without checks")


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """N explained examples, padded to T tokens and K classes.

    scores: (N, K, T) float32, NaN for classes that were not explained, 0 on padding. content: (N, T) bool,
    true for tokens of the text, false for special tokens and padding. probabilities: (N, K), the model's
    output on the full texts. costs: one per example. checks: read when asked for, by few metrics.
    """

    examples: Sequence[Example]
    encodings: Sequence[Encoding]
    probabilities: Floats
    scores: Floats32
    content: Bools
    costs: Sequence[Cost]
    checks: Callable[[], Checks] = _unchecked

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One cell: the shards of one explainer's explanations of one trained model.

    shards: may be walked any number of times; each walk reads them anew, so memory stays flat.
    removal: what "absent" means to metrics that mask tokens. seed: for metrics that draw. activations: gives
    layer to (N, D), every text's activations averaged over its tokens, where they are kept for all
    explainers of a model; None: ask the engine. explain: the cell's explainer, for metrics that need
    "explaining"; draws: the seed its requests were made with.
    """

    shards: Iterable[Shard]
    labels: tuple[str, ...]
    multi_label: bool
    engine: Engine
    removal: Baseline
    seed: int = 0
    activations: Callable[[], Mapping[str, Floats32]] | None = None
    explain: Explain | None = None
    draws: int = 0


@runtime_checkable
class Metric(Protocol):
    """A measured property of an explainer. Implementations are frozen dataclasses holding parameters.

    name: as in tables. title: a heading. property: which diagnostic property it measures. direction: whether
    a better explainer scores higher or lower. bounds: the range of `summarise`. random_level: what a random
    explainer gets, in words. version: raised whenever the mathematics changes. needs: abilities of the model,
    "rationales", "ground_truth", "all_targets", "removal" or "explaining". A metric that is an extreme sets
    `extreme = True`: a resample's extreme is never beyond the sample's, so resampling says nothing about its
    error. A metric whose units are pairs of texts, named by `assay.metrics.rows.pair_name`, sets `of_pairs =
    True`: pairs that share a text are not independent.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    property: ClassVar[str]
    direction: ClassVar[Literal["higher", "lower"]]
    bounds: ClassVar[tuple[float, float]]
    random_level: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[str]]

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) values of the metric on B resamples: `parts` from `wide`, `index` (B, n) units."""
        ...


@runtime_checkable
class CellMetric(Metric, Protocol):
    """A metric of one cell."""

    def score(self, subject: Subject) -> pd.DataFrame:
        """The long table (assay.metrics.rows) of one cell."""
        ...


@runtime_checkable
class PairMetric(Metric, Protocol):
    """A metric of two cells: the same explainer and texts, two models."""

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """The long table of two cells; distances: example id to how far the models' activations are apart."""
        ...


def predicted(probabilities: Floats, *, multi_label: bool) -> Bools:
    """(N, K) bool: the arg-max class, or in a multi-label task every label of probability >= 0.5."""
    if multi_label:
        return probabilities >= 0.5
    chosen = np.zeros(probabilities.shape, dtype=bool)
    chosen[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return chosen


def gold(examples: Sequence[Example], classes: int) -> Bools:
    """(N, K) bool: the labels of each example."""
    table = np.zeros((len(examples), classes), dtype=bool)
    for row, example in enumerate(examples):
        table[row, list(example.labels)] = True
    return table
