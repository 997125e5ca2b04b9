"""The verdicts on a list of claims, from the scores of an experiment; Holm over all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from assay.results.claims.claim import LSTM, Claim, Family, Untold, architecture
from assay.results.claims.measured import measure
from assay.results.claims.records import FAILS, HOLDS, UNTOLD, ClaimRow
from assay.results.claims.study import EXPLAINERS, STUDY, TASKS
from assay.results.claims.testing import Tested, check_all
from assay.results.columns import to_table
from assay.results.parallel import ParallelMap, serial_map
from assay.results.records import TRAINED, Group, Results
from assay.results.statistics.by_group import results_by_group
from assay.results.statistics.estimates import Bootstrap, holm
from assay.tasks.counted import counted

# The standard error needs no more, and metrics of many pairs are slow.
RESAMPLES = 300
ARTICLES = {LSTM: "an"}
Found = Mapping[str, Tested | str]


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A claim with its verdict as a whole, and on every task and model that it is about."""

    claim: Claim
    whole: ClaimRow
    rows: tuple[ClaimRow, ...]


def verdicts(
    results: Results,
    bootstrap: Bootstrap,
    claims: Sequence[Claim] = STUDY,
    family: Family = EXPLAINERS,
    parallel_map: ParallelMap = serial_map,
) -> list[Verdict]:
    """The verdict on each claim.

    A claim holds on a task and model if its contrast is above 0 with p at most alpha after Holm's correction
    over all claims, tasks and models; it does not hold if the contrast is below 0 with such a p; else it
    cannot be told. As a whole it does not hold if it does not hold anywhere, and holds if it holds on all
    that it is about and everywhere.

    Args:
        results: the scores; those of trained models count.
        bootstrap: level of intervals, alpha of the family.
        claims: in the order of the page.
        family: the explainers that they are about.
        parallel_map: over what the groups are.
    """
    alone = [(group, part) for group, part in results_by_group(results) if group.kind == TRAINED]
    fewer = replace(bootstrap, n=min(bootstrap.n, RESAMPLES))
    calls = [partial(_of_group, part, group, claims, family, fewer) for group, part in alone]
    groups = [group for group, _ in alone]
    by_group = dict(zip(groups, parallel_map(calls), strict=True))
    raw = {claim.id: _rows(claim, by_group) for claim in claims}
    tested = [row for rows in raw.values() for row in rows if math.isfinite(row.p)]
    adjusted = dict(zip(map(id, tested), holm([row.p for row in tested]).tolist(), strict=True))
    found = []
    for claim in claims:
        rows = tuple(
            _judged(row, adjusted[id(row)], len(tested), bootstrap.alpha) if id(row) in adjusted else row
            for row in raw[claim.id]
        )
        found.append(Verdict(claim, _whole(claim, rows), rows))
    return found


def claims_table(found: Sequence[Verdict]) -> pd.DataFrame:
    """The table of ClaimRow: of each claim a row for the whole, then those of its tasks and models."""
    return to_table(ClaimRow, (row for verdict in found for row in (verdict.whole, *verdict.rows)))


def _of_group(
    results: Results, group: Group, claims: Sequence[Claim], family: Family, bootstrap: Bootstrap
) -> dict[str, Tested | str]:
    """By claim its test in a group, or why there is none."""
    measured = measure(results, group, family, bootstrap)
    found: dict[str, Tested | str] = {}
    for claim in claims:
        try:
            found[claim.id] = check_all(claim.contrasts(measured.compared), measured, bootstrap.level)
        except Untold as reason:
            found[claim.id] = str(reason)
    return found


def _rows(claim: Claim, by_group: Mapping[Group, Found]) -> list[ClaimRow]:
    """The rows of a claim, not judged yet: of every group that it is about, and of what it needs besides."""
    about = [
        group
        for group in by_group
        if not claim.architectures or architecture(group.model) in claim.architectures
    ]
    rows = [_row(claim, group.task, group.model, by_group[group][claim.id]) for group in about]
    tasks = claim.tasks or tuple(dict.fromkeys(group.task for group in by_group))
    for task in tasks:
        having = {architecture(group.model) for group in about if _is_task(group.task, task)}
        if not having and claim.tasks and not any(_is_task(group.task, task) for group in by_group):
            rows.append(_row(claim, task, "", f"needs {TASKS.get(task, task)} (task={task})"))
            continue
        rows += [
            _row(claim, task, "", f"needs a model that is {ARTICLES.get(one, 'a')} {one}")
            for one in claim.architectures
            if one not in having
        ]
    if not rows:
        rows.append(_row(claim, "", "", "needs the scores of a trained model"))
    return rows


def _is_task(name: str, task: str) -> bool:
    return name.partition("[")[0] == task.partition("[")[0]


def _row(claim: Claim, task: str, model: str, found: Tested | str) -> ClaimRow:
    tested = found if isinstance(found, Tested) else None
    nan = math.nan
    return ClaimRow(
        claim=claim.id,
        sentence=claim.sentence,
        task=task,
        model=model,
        verdict=UNTOLD,
        reason="" if tested else str(found),
        estimate=tested.estimate if tested else nan,
        low=tested.low if tested else nan,
        high=tested.high if tested else nan,
        p=tested.p if tested else nan,
        p_holm=nan,
        scale=claim.scale,
        contrast=tested.name if tested else "",
        favoured=", ".join(tested.sharing) if tested else "",
        n_texts=tested.texts if tested else 0,
        n_seeds=tested.models if tested else 0,
        quoted=claim.quoted,
    )


def _judged(row: ClaimRow, p: float, tests: int, alpha: float) -> ClaimRow:
    if p <= alpha:
        return replace(row, p_holm=p, verdict=HOLDS if row.estimate > 0 else FAILS, reason="")
    zero = row.low <= 0 <= row.high
    reason = (
        "the interval holds 0"
        if zero
        else f"the interval excludes 0, but not after Holm's correction over {counted(tests, 'test')}"
    )
    return replace(row, p_holm=p, reason=reason)


def _whole(claim: Claim, rows: Sequence[ClaimRow]) -> ClaimRow:
    """The verdict on a claim from those on its tasks and models."""
    # Other tasks stand in the table and decide nothing about a claim on the study's.
    own = [row for row in rows if not claim.tasks or any(_is_task(row.task, task) for task in claim.tasks)]
    against = [row for row in own if row.verdict == FAILS]
    untold = [row for row in own if row.verdict == UNTOLD]
    empty = replace(_row(claim, "", "", ""), contrast="")
    if against:
        return replace(empty, verdict=FAILS, reason=f"on {_places(against)}")
    if untold:
        reasons: dict[str, list[ClaimRow]] = {}
        for row in untold:
            reasons.setdefault(row.reason, []).append(row)
        words = [
            f"{reason} ({_places(of)})" if any(row.model for row in of) else reason
            for reason, of in reasons.items()
        ]
        return replace(empty, reason="; ".join(words))
    return replace(empty, verdict=HOLDS, reason=f"on {_places(own)}")


def _places(rows: Sequence[ClaimRow]) -> str:
    return ", ".join(dict.fromkeys(f"{row.task} / {row.model}" if row.model else row.task for row in rows))
