"""Two versions compared, as `assay compare` does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.interface.arguments import checked
from assay.harness.reporting.explanation_drift import drift
from assay.harness.reporting.precisions import differing_precisions
from assay.harness.reporting.versions import open_side
from assay.results.columns import to_table
from assay.results.statistics.estimates import Bootstrap
from assay.results.versions.changes import changes
from assay.results.versions.conditions import Condition, Judgement, check_metrics, condition, judge
from assay.results.versions.drift import DriftRow, MovedText
from assay.results.versions.records import ChangeRow
from assay.results.versions.text import changes_table, comparison_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What moved between two versions, in words when printed; made by `compare`.

    Attributes:
        names: of the two, A and B.
        rows: a row for each metric of each method of both.
        drift: the agreement of explanations, by method.
        moved_texts: the ten texts whose explanations moved most.
        conditions: those that were asked about; `holds` is None where that cannot be told.
        notes: how it was done, and what was left out.
    """

    names: tuple[str, str]
    rows: tuple[ChangeRow, ...]
    drift: tuple[DriftRow, ...] = ()
    moved_texts: tuple[MovedText, ...] = ()
    conditions: tuple[Judgement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> pd.DataFrame:
        """The rows as a table, with the columns of `assay compare --csv` (docs/compare.md)."""
        return changes_table(self.rows)

    @property
    def agreement(self) -> pd.DataFrame:
        """The agreement of explanations as a table."""
        return to_table(DriftRow, self.drift)

    def judged(self, conditions: Sequence[Condition]) -> Comparison:
        """With the conditions judged. Raises InputError on one about a metric that is not in both."""
        check_metrics(conditions, dict.fromkeys(row.metric for row in self.rows))
        return replace(self, conditions=tuple(judge(one, self.rows, self.drift) for one in conditions))

    def __str__(self) -> str:
        return comparison_text(
            self.names, self.rows, self.notes, self.drift, self.moved_texts, self.conditions
        )

    __repr__ = __str__


@checked
def compare(
    a: str,
    b: str,
    *,
    store: str = "assay-store",
    fail_if: list[str] | None = None,
    these_models: bool = False,
) -> Comparison:
    """Compare two versions of a model, an explainer or an experiment (docs/compare.md).

    Args:
        a: the version before: NAME, STORE/NAME or an exported table, perhaps with @MODEL or @seed=0,1.
        b: the version after.
        store: where names without a folder are looked for.
        fail_if: conditions to judge, such as "faithfulness worse" or "agreement < 0.8".
        these_models: whether to ask about these very models, so that differences include those of their
            training seeds.

    Returns:
        What moved beyond noise; print it, or read `changes`.

    Raises:
        InputError: a version or a condition cannot be read, or nothing is in both.

    Example:
        >>> print(compare("before", "after", fail_if=["faithfulness worse"]))  # doctest: +SKIP
    """
    conditions = [condition(text) for text in fail_if or ()]
    return compared(a, b, Path(store), these_models=these_models).judged(conditions)


def compared(a: str, b: str, store: Path, *, these_models: bool = False) -> Comparison:
    """The comparison of two versions, as in `compare`."""
    one, other = (open_side(text, store) for text in (a, b))
    moved = changes(one.version, other.version, Bootstrap(), these_models=these_models)
    drifted, texts, notes = drift(one, other, these_models=these_models)
    asked = differing_precisions({a: one.trials, b: other.trials})
    every = (*moved.notes, *notes, *asked)
    return Comparison((a, b), tuple(moved.rows), tuple(drifted), tuple(texts), notes=every)
