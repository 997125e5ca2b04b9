"""What is said of a method whose explanations are constant."""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    """Constant explanations of a method. words: in how many texts. labels: for which labels; None for all.
    always: whether the scores of every text with more than one token are, for all that is explained."""

    words: str
    labels: frozenset[str] | None = None
    always: bool = False

    def concerns(self, label: str) -> bool:
        """Whether scores for the label are meant; "" is all labels together."""
        return not label or self.labels is None or label in self.labels
