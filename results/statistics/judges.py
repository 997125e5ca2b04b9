"""What judges found of explanations, text by text, as means with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from assay.results.statistics.estimates import Bootstrap, holm
from assay.results.statistics.intervals import UNKNOWN, Floats, Interval
from assay.results.statistics.paired import difference, estimate, interval, mean_statistic
from assay.tasks.grouping import cluster_numbers

# Of one model seed: by judge and by what was judged the (N,) values of the texts, NaN where there is none.
# What stands first of each judge is compared with the others, its controls.
Judged = Mapping[str, Mapping[str, Floats]]


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One judge's mean of one thing, and how far what stands first differs from it.

    Attributes:
        judge: such as "deletion".
        what: such as "random words".
        texts: that have a value in any seed.
        value: mean over texts, then seeds.
        interval: of it.
        difference: of what stands first from this one, on texts that have both; NaN for the first itself.
        difference_interval: of the difference.
        p: of it, corrected for the controls of this judge (Holm); NaN for the first itself.
    """

    judge: str
    what: str
    texts: int
    value: float
    interval: Interval
    difference: float = float("nan")
    difference_interval: Interval = UNKNOWN
    p: float = float("nan")

    def flat(self) -> dict[str, object]:
        """As a row of a table."""
        row = asdict(self)
        for name in ("interval", "difference_interval"):
            ends = row.pop(name)
            prefix = name.removesuffix("interval")
            row |= {f"{prefix}low": ends[0], f"{prefix}high": ends[1]}
        order = ("judge", "what", "texts", "value", "low", "high", "difference")
        return {name: row[name] for name in (*order, "difference_low", "difference_high", "p")}


def judged_rows(
    by_seed: Mapping[str, Judged], ids: Sequence[str], clusters: Mapping[str, str], bootstrap: Bootstrap
) -> list[JudgedRow]:
    """All that judges found, over texts and model seeds.

    Args:
        by_seed: what was found with each model seed, of the same texts.
        ids: of the N texts.
        clusters: the name of a text's cluster by its id, where it is not alone.
        bootstrap: draws and level.
    """
    rows = []
    for judge, things in next(iter(by_seed.values())).items():
        # Of what one seed lacks, such as an explainer that is not done yet, nothing is said.
        common = [what for what in things if all(what in of.get(judge, {}) for of in by_seed.values())]
        if not common:
            continue
        first, *controls = common
        of_first = {seed: judged[judge][first] for seed, judged in by_seed.items()}
        compared = []
        for what in (first, *controls):
            values = {seed: judged[judge][what] for seed, judged in by_seed.items()}
            row = _mean(judge, what, values, ids, clusters, bootstrap)
            if what != first and row.texts:
                row = _compared(row, of_first, values, ids, clusters, bootstrap, len(controls))
            compared.append(row)
        rows += _corrected(compared)
    return rows


def _mean(
    judge: str,
    what: str,
    values: Mapping[str, Floats],
    ids: Sequence[str],
    clusters: Mapping[str, str],
    bootstrap: Bootstrap,
) -> JudgedRow:
    kept, groups = _measured(values, ids, clusters)
    if not len(groups):
        return JudgedRow(judge, what, 0, float("nan"), UNKNOWN)
    found = estimate(mean_statistic, kept, groups, bootstrap)
    ends = interval(found, bootstrap)
    # What judges find is from -1 to 1; few seeds have wide intervals.
    yes_or_no = all(np.isin(of_seed[np.isfinite(of_seed)], (0, 1)).all() for of_seed in values.values())
    low, high = np.clip([ends.low, ends.high], 0 if yes_or_no else -1, 1).tolist()
    return JudgedRow(judge, what, len(groups), found.value, ends._replace(low=low, high=high))


def _compared(
    row: JudgedRow,
    first: Mapping[str, Floats],
    other: Mapping[str, Floats],
    ids: Sequence[str],
    clusters: Mapping[str, str],
    bootstrap: Bootstrap,
    tests: int,
) -> JudgedRow:
    # A text counts where both have a value.
    both = {seed: np.where(np.isfinite(first[seed]), values, np.nan) for seed, values in other.items()}
    mine = {seed: np.where(np.isfinite(both[seed]), values, np.nan) for seed, values in first.items()}
    theirs, groups = _measured(both, ids, clusters)
    if not len(groups):
        return row
    found = difference(mean_statistic, _measured(mine, ids, clusters)[0], theirs, groups, bootstrap, tests)
    return replace(row, difference=found.value, difference_interval=found.interval, p=found.p)


def _measured(
    values: Mapping[str, Floats], ids: Sequence[str], clusters: Mapping[str, str]
) -> tuple[dict[str, Floats], np.ndarray]:
    """The texts that have a value in any seed, as (n, 1) by seed without seeds that have none, and their
    groups."""
    has = np.any([np.isfinite(of_seed) for of_seed in values.values()], axis=0)
    groups = cluster_numbers([name for name, kept in zip(ids, has, strict=True) if kept], clusters)
    return (
        {seed: of_seed[has, None] for seed, of_seed in values.items() if np.isfinite(of_seed).any()},
        groups,
    )


def _corrected(rows: Sequence[JudgedRow]) -> list[JudgedRow]:
    tested = [at for at, row in enumerate(rows) if np.isfinite(row.p)]
    corrected = dict(zip(tested, holm([rows[at].p for at in tested]), strict=True)) if tested else {}
    return [replace(row, p=float(corrected.get(at, row.p))) for at, row in enumerate(rows)]
