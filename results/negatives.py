"""The texts that the average of negatives is made of: whether they are enough, and different enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from assay.tasks.counted import counted

FEWEST, LEAST_EFFECTIVE = 50, 10.0


@dataclass(frozen=True, slots=True)
class NegativeTexts:
    """The negatives of one label, as the baseline `negatives` averages them.

    Attributes:
        task: the task.
        label: the label that none of the texts has.
        texts: how many there are.
        effective: their effective number (`effective_number`).
    """

    task: str
    label: str
    texts: int
    effective: float

    @property
    def warning(self) -> str:
        """Why their average says little of negatives in general; "" where nothing speaks against it."""
        if self.texts < FEWEST:
            return (
                f"{self.task}: the average of negatives of {self.label!r} is drawn from "
                f"{counted(self.texts, 'text')}, fewer than {FEWEST}"
            )
        if self.effective < LEAST_EFFECTIVE:
            return (
                f"{self.task}: the {self.texts:,} negatives of {self.label!r} are alike, like "
                f"{self.effective:.1f} different texts, fewer than {LEAST_EFFECTIVE:.0f}; their average "
                "stands for few"
            )
        return ""


def effective_number(texts: Sequence[Iterable[str]]) -> float:
    """As how many wholly different texts these n are, from 1 (all equal) to n (no word in common).

    The Vendi score of order 2, n^2 over the sum of squared similarities, for the Jaccard similarity of the
    sets of words. Source: Pasarkar & Dieng, AISTATS 2024 (order 2); Friedman & Dieng, TMLR 2023.

    Args:
        texts: the words of each; how often a word occurs does not count.

    Returns:
        The number; 0 for no texts.

    Example:
        >>> effective_number([["a", "b"], ["b", "a"]]), effective_number([["a"], ["b"]])
        (1.0, 2.0)
    """
    # Imported when needed: it takes long, also of reports without negatives.
    from scipy.sparse import csr_array

    sets = [frozenset(words) for words in texts]
    if not sets:
        return 0.0
    number = {word: place for place, word in enumerate(sorted(frozenset().union(*sets)))}
    sizes = np.array([len(words) for words in sets], dtype=np.float64)
    columns = np.array([number[word] for words in sets for word in words], dtype=np.intp)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    words = csr_array((np.ones(len(columns)), columns, starts), shape=(len(sets), max(1, len(number))))
    common = (words @ words.T).toarray()
    union = sizes[:, None] + sizes - common
    # Texts without words are all the same.
    similarity = np.divide(common, union, out=np.ones_like(common), where=union > 0)
    return float(len(sets) ** 2 / np.square(similarity).sum())
