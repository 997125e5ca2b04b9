"""Published numbers that a user supplies, beside the measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from assay.results.claims.records import PublishedRow
from assay.results.columns import ComparisonRow, from_table, to_table
from assay.results.records import TRAINED
from assay.tasks.errors import InputError, did_you_mean

NAMES = ("task", "model", "explainer", "metric")
NOT_MEASURED = "not measured in this experiment"


@dataclass(frozen=True, slots=True)
class Published:
    """One row of the user's file.

    Attributes:
        place: where it is from, for messages, such as "numbers.csv, line 3".
        task, model, explainer, metric: by their names in the experiment.
        value: the number.
        baseline: of the explainer; empty for any.
        source: in the user's words.
    """

    place: str
    task: str
    model: str
    explainer: str
    metric: str
    value: float
    baseline: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the page of claims is to show beside them: published numbers, and the names that exist."""

    published: tuple[Published, ...] = ()
    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def rows(self, comparison: pd.DataFrame) -> list[PublishedRow]:
        """The published numbers beside those of a comparison, as in `beside`."""
        return beside(self.published, comparison, self.offered)


def beside(
    published: Sequence[Published], comparison: pd.DataFrame, offered: Mapping[str, Sequence[str]] = {}
) -> list[PublishedRow]:
    """The published numbers beside those of trained models; a row for each baseline where none is named.

    Args:
        published: in the order of the file.
        comparison: of the experiment.
        offered: by column the names that exist besides those of the comparison; such a row says that it was
            not measured.

    Raises:
        InputError: a name that is neither measured nor offered.
    """
    rows = [row for row in from_table(ComparisonRow, comparison) if row.kind == TRAINED]
    known = {
        column: list(dict.fromkeys([*(getattr(row, column) for row in rows), *offered.get(column, ())]))
        for column in NAMES
    }
    return [row for one in published for row in _beside(one, rows, known)]


def _beside(
    one: Published, rows: Sequence[ComparisonRow], known: Mapping[str, Sequence[str]]
) -> list[PublishedRow]:
    for column in NAMES:
        if (name := getattr(one, column)) not in known[column]:
            raise InputError(f"{one.place}: unknown {column} {name!r}; {did_you_mean(name, known[column])}")
    names = {column: getattr(one, column) for column in NAMES}
    measured = [row for row in rows if all(getattr(row, column) == name for column, name in names.items())]
    baselines = [row.baseline for row in measured]
    if one.baseline and measured and one.baseline not in baselines:
        raise InputError(
            f"{one.place}: {one.explainer} was not measured with the baseline {one.baseline!r}; "
            f"{did_you_mean(one.baseline, filter(None, baselines))}"
        )
    chosen = [row for row in measured if one.baseline in ("", row.baseline)]
    if not chosen:
        return [_row(one, names, one.baseline, None)]
    return [_row(one, names, row.baseline, row) for row in chosen]


def _row(one: Published, names: Mapping[str, str], baseline: str, row: ComparisonRow | None) -> PublishedRow:
    value, low, high = (math.nan,) * 3 if row is None else (row.value, row.low, row.high)
    known = math.isfinite(low) and math.isfinite(high)
    note = NOT_MEASURED if row is None else row.reason or ("" if known else row.interval_note)
    return PublishedRow(
        **names,
        baseline=baseline,
        published=one.value,
        measured=value,
        low=low,
        high=high,
        difference=value - one.value,
        inside=("yes" if low <= one.value <= high else "no") if known else "",
        source=one.source,
        note=note,
    )


def published_table(rows: Sequence[PublishedRow]) -> pd.DataFrame:
    """The table of PublishedRow."""
    return to_table(PublishedRow, rows)
