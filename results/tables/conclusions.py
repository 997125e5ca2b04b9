"""What is concluded from the columns of a comparison, as lines below it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from assay.results.columns import ComparisonRow, method_of
from assay.results.records import grouped


def conclusions(titles: Mapping[str, str], rows: Sequence[ComparisonRow]) -> list[str]:
    """Where nobody is called best, who is better than random, and who does not beat a heuristic control.

    Args:
        titles: of the metrics in the table, by name, in order.
        rows: of one group.
    """
    return [*_undecided(titles, rows), *_better_than_random(titles, rows), *_not_better(titles, rows)]


def _undecided(titles: Mapping[str, str], rows: Sequence[ComparisonRow]) -> Iterator[str]:
    """A line per reason for which nobody is called best, with the columns that have it."""
    reasons = {row.metric: row.no_best for row in rows if row.no_best}
    for reason, names in grouped((name for name in titles if name in reasons), reasons.__getitem__).items():
        yield f"{', '.join(titles[name] for name in names)}: {reason}; none is called best"


def _better_than_random(titles: Mapping[str, str], rows: Sequence[ComparisonRow]) -> Iterator[str]:
    """A line per set of explainers, with the columns concerned."""
    candidates = [row for row in rows if not row.control and math.isfinite(row.value)]
    who: dict[str, str] = {}
    for name in titles:
        of_metric = [row for row in candidates if row.metric == name]
        better = [method_of(row).title for row in of_metric if row.better_than_random]
        if better:
            who[name] = "all explainers" if len(better) == len(of_metric) else ", ".join(better)
    for explainers, names in grouped(who, who.__getitem__).items():
        yield f"{', '.join(titles[name] for name in names)}: better than random: {explainers}"


def _not_better(titles: Mapping[str, str], rows: Sequence[ComparisonRow]) -> Iterator[str]:
    """A line per heuristic control and the explainers that do not beat it, with the columns concerned."""
    of_column: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for control in filter(None, row.not_better.split(", ")):
            of_column.setdefault((control, row.metric), []).append(method_of(row).title)
    known = [(control, metric) for control, metric in of_column if metric in titles]
    together = grouped(known, lambda place: (place[0], ", ".join(of_column[place])))
    for (control, explainers), places in together.items():
        columns = ", ".join(titles[metric] for _, metric in places)
        yield f"{columns}: not shown to be better than the control {control}: {explainers}"
