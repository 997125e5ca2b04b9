"""The input of a metric: one cell's explanations, shard by shard, and the engine that queries the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from assay.explainers.explanation import Cost
from assay.metrics.info import Direction
from assay.metrics.long_table import Parts
from assay.tasks.arrays import Bools, Floats, Floats32, Ints
from assay.tasks.example import Example

if TYPE_CHECKING:
    import pandas as pd

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
    """Self-checks of explanations; NaN where undefined or not explained.

    Attributes:
        effect: (N, K) f(x) - f(baseline).
        gap: (N, K) the effect minus the sum of the scores.
        reliability: (N, K), see `assay.explainers.reliability`.
    """

    effect: Floats
    gap: Floats
    reliability: Floats


def _unchecked() -> Checks:
    raise NotImplementedError("these shards were made without checks")


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedText:
    """One explained example of T tokens and K classes.

    Attributes:
        example: The example.
        encoding: Its encoding.
        probabilities: (K,) the model's output on the full text.
        scores: (K, T) float32, NaN for classes that were not explained.
        content: (T,) true for tokens of the text, false for special tokens.
    """

    example: Example
    encoding: Encoding
    probabilities: Floats
    scores: Floats32
    content: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """N explained examples, padded to T tokens and K classes.

    Attributes:
        examples: The N examples.
        encodings: Their N encodings.
        probabilities: (N, K) the model's output on the full texts.
        scores: (N, K, T) float32, NaN for classes that were not explained, 0 on padding.
        content: (N, T) true for tokens of the text, false for special tokens and padding.
        costs: One per example.
        checks: Reads the self-checks on demand; few metrics need them.
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

    @property
    def ids(self) -> list[str]:
        """The ids of the examples."""
        return [example.id for example in self.examples]

    def texts(self) -> Iterator[ExplainedText]:
        """The examples one by one, without padding."""
        for row, encoding in enumerate(self.encodings):
            scores, content = self.scores[row][:, : len(encoding)], self.content[row][: len(encoding)]
            yield ExplainedText(self.examples[row], encoding, self.probabilities[row], scores, content)


@dataclass(frozen=True, slots=True, eq=False)
class CellData:
    """One cell: the shards of one explainer's explanations of one trained model.

    Attributes:
        shards: Iterable any number of times; each iteration reads them again, so memory stays flat.
        labels: The names of the K classes.
        multi_label: Whether a text may have several labels.
        engine: Queries the model.
        removal: The removal operator, which defines "absent" for metrics that mask tokens.
        seed: The explainer seed, which seeds the draws of stochastic metrics and the order of ties.
        activations: Gives layer to (N, D), each text's activations averaged over its tokens, where they are
            kept for all explainers of a model. None: query the engine.
        explain: The cell's explainer, for metrics that need "explaining".
        request_seed: The seed of the explainer's requests.
    """

    shards: Iterable[Shard]
    labels: tuple[str, ...]
    multi_label: bool
    engine: Engine
    removal: Baseline
    seed: int = 0
    activations: Callable[[], Mapping[str, Floats32]] | None = None
    explain: Explain | None = None
    request_seed: int = 0


@runtime_checkable
class Metric(Protocol):
    """A measured property of an explainer. Implementations are frozen dataclasses of parameters.

    The attributes are fields of `assay.metrics.info.MetricInfo` and described there; `MetricBase` derives
    them from an `info`. A metric may also declare `part`, `extreme`, `of_pairs`, `pooled` and `of_groups`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    property: ClassVar[str]
    direction: ClassVar[Direction]
    bounds: ClassVar[tuple[float, float]]
    random_level: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[str]]

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) values of the metric on B resamples.

        Args:
            parts: Per part an (n, m) array over units and targets, from `assay.metrics.long_table.wide`.
            index: (B, n) positions of units.
        """
        ...


@runtime_checkable
class CellMetric(Metric, Protocol):
    """A metric of one cell."""

    def score(self, subject: CellData) -> pd.DataFrame:
        """The long table (assay.metrics.long_table) of one cell."""
        ...


def explained_texts(shards: Iterable[Shard]) -> Iterator[ExplainedText]:
    """The examples of all shards one by one."""
    return chain.from_iterable(shard.texts() for shard in shards)


def predicted(probabilities: Floats, *, multi_label: bool) -> Bools:
    """(N, K) bool: the arg-max class, or in a multi-label task every label of probability >= 0.5."""
    if multi_label:
        return probabilities >= 0.5
    return probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])


def gold(examples: Sequence[Example], classes: int) -> Bools:
    """(N, K) bool: the labels of each example."""
    table = np.zeros((len(examples), classes), dtype=bool)
    for row, example in enumerate(examples):
        table[row, list(example.labels)] = True
    return table
