"""What training an explainer costs once, beside what every text costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from assay.results.records import Group


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Rows of the model for one model of a group: forward, backward and of a masked language model.

    method: the title of the explainer that was trained. training: rows, once. own: rows for each text.
    others: by title the rows of the other explainers for each text.
    """

    group: Group
    method: str
    training: int
    own: float
    others: Mapping[str, float]

    def pays(self) -> dict[str, int]:
        """By title the texts from which training and own rows are at most the other's, the fewest first; of
        the others those for which there is such a number."""
        found = {name: pays_from(self.training, self.own, rows) for name, rows in self.others.items()}
        paid = [(count, name) for name, count in found.items() if count is not None]
        return {name: count for count, name in sorted(paid)}


def pays_from(training: float, own: float, other: float) -> int | None:
    """The fewest texts for which training and own rows are at most the other's rows; None if for none.

    Args:
        training: rows forward and backward, once.
        own: rows for each text.
        other: rows of the compared explainer for each text.

    Example:
        >>> pays_from(990, 1, 100), pays_from(990, 1, 1)
        (10, None)
    """
    return None if other <= own else max(1, math.ceil(training / (other - own)))
