"""Explainer cards of a finished experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.harness.exchange.cards import write_cards
from assay.harness.interface.arguments import checked
from assay.harness.interface.finished import Runs
from assay.harness.reporting.cards import Asked, cards, finished, today
from assay.results.card.card import Card
from assay.results.card.write import record, to_markdown
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Cards:
    """Explainer cards, as Markdown when printed; made by `card`.

    Attributes:
        of: the cards, one for each task, model, explainer and baseline that was asked for.
    """

    of: tuple[Card, ...]

    def records(self) -> list[dict[str, Any]]:
        """As plain values, as in the JSON form."""
        return [record(one) for one in self.of]

    def write(self, folder: str | Path, *, overwrite: bool = False) -> list[str]:
        """Write each as Markdown, JSON and HTML; returns their names without endings.

        Raises:
            InputError: a file is there already and `overwrite` is false.
        """
        return write_cards(self.of, Path(folder), overwrite=overwrite)

    def __str__(self) -> str:
        return "\n".join(to_markdown(one) for one in self.of)

    __repr__ = __str__


@checked
def card(
    runs: object,
    explainer: str = "",
    baseline: str = "",
    *,
    task: str = "",
    model: str = "",
    use: str = "",
    by: str = "",
) -> Cards:
    """Explainer cards for an audit file (docs/compliance.md); nothing is computed with a model.

    Args:
        runs: a finished experiment from `load`.
        explainer: of this explainer alone; by default of every candidate.
        baseline: with this baseline alone.
        task: on this task alone.
        model: of this model alone.
        use: what the explanations are meant for, in words.
        by: who makes the card; never read from the system.

    Returns:
        The cards; print or write them.

    Raises:
        InputError: the experiment is not finished, or has no such explainer, baseline, task or model.

    Example:
        >>> print(card(load("assay-store", "quickstart"), "occlusion"))  # doctest: +SKIP
    """
    if not isinstance(runs, Runs):
        raise InputError(f"a {type(runs).__name__} has no cards; expected what assay.load returns")
    asked = Asked(explainer, baseline, task, model, use, by, today())
    return Cards(tuple(cards(finished(runs.experiment, runs.trials), asked)))
