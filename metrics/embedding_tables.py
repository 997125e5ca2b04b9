"""What is known of an embedding table: the raw table, its sparse re-coding and a random one, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from assay.tasks.arrays import Floats
from assay.tasks.errors import check_at_least

# Fewer words say nothing of a table.
FEWEST_WORDS = 50


@dataclass(frozen=True, slots=True)
class Judging:
    """Which words a table is judged on: the `words` most frequent in the training texts that occur there at
    least `min_count` times and hold a letter or digit."""

    words: int = 5000
    min_count: int = 5

    def __post_init__(self) -> None:
        check_at_least("knowledge.words", self.words, FEWEST_WORDS)
        check_at_least("knowledge.min_count", self.min_count, 1)


@dataclass(frozen=True, slots=True, eq=False)
class JudgedTable:
    """One table.

    Attributes:
        name: "sparse", "raw" or "random".
        values: (W, n) of the judged words by dimension.
        intrusion: (n,) the share of questions answered by dimension; NaN where there are too few words.
        accuracy: of the classifier that reads this table; of the sparse one what its codes stand for.
        macro_f1: the same.
    """

    name: str
    values: Floats
    intrusion: Floats
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingKnowledge:
    """The tables of one model.

    Attributes:
        words: the W judged words, most frequent first.
        tables: sparse, raw, random.
        density: the share of the sparse codes that are not 0.
        explained: the share of the raw table's variance that the sparse codes keep.
        chance: the share of questions that guessing answers.
    """

    words: tuple[str, ...]
    tables: tuple[JudgedTable, ...]
    density: float
    explained: float
    chance: float
