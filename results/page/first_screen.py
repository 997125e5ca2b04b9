"""What a reader sees first: whom to use or why that cannot be told, the best, and what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from assay.results.page.numbers import three_digits
from assay.results.recommendation.recommendation import Recommendation
from assay.results.recommendation.sentences import TOLD, sentences
from assay.results.records import Group, Method, Results, Timing, grouped
from assay.results.tables.layout import BESIDE, SIGNS, Column, Entry, Grid, Row
from assay.results.tables.timing import seed_means
from assay.tasks.counted import counted

# So many explainers are in the table, so many sentences stand behind the answer, and so many warnings below.
BEST, REASONS, WARNINGS = 5, 3, 3
SCORE = Column("score", "score, 0 is random", "higher", 3)
# Where nothing tells who is better.
UNORDERED = "in the order of the comparison below"
# Of so many recommended explainers the price is told; of more, that of the cheapest and of the dearest.
PRICED = 2


@dataclass(frozen=True, slots=True)
class BestRow:
    """An explainer in the table of the first screen.

    Attributes:
        row: its entries, one per property.
        recommended: whether it is in the recommended group.
        score: its weighted score with its interval; a value of NaN where it has none.
        milliseconds: median wall time per text, NaN if unknown.
    """

    row: Row
    recommended: bool
    score: Entry
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for one task and model.

    Attributes:
        group: task and model.
        told: whether somebody is recommended.
        headline: the sentence that says whom to use, or that this cannot be told and why.
        reasons: the sentences that come next.
        more: all others, folded.
        price: what the recommended explainers cost per text, "" where that is unknown.
        columns: of the table, one per property.
        rows: of the best explainers.
        explainers: how many were compared.
        order: what the rows are ordered by, in words.
        unordered: whether that says nothing of who is better.
        starred: whether any value of the rows is among the best of its column.
        signs: what the signs beside values mean, of those that are in the rows.
    """

    group: Group
    told: bool
    headline: str
    reasons: tuple[str, ...]
    more: tuple[str, ...]
    price: str
    columns: tuple[Column, ...]
    rows: tuple[BestRow, ...]
    explainers: int
    order: str
    unordered: bool
    starred: bool
    signs: tuple[str, ...] = ()


def answers(
    advice: Sequence[Recommendation], grids: Sequence[Grid], timings: Sequence[Timing]
) -> list[Answer]:
    """An answer for every recommendation, with the best explainers of its comparison.

    Args:
        advice: what is recommended, as `assay recommend` says it.
        grids: the comparisons; of each group the one of the six properties.
        timings: of every model.
    """
    main = {grid.group: grid for grid in reversed(grids) if grid.part != BESIDE}
    of_group = grouped(timings, lambda one: one.group)
    return [_answer(one, main.get(one.group), of_group.get(one.group, [])) for one in advice]


def _answer(found: Recommendation, grid: Grid | None, timings: Sequence[Timing]) -> Answer:
    seconds = {one.method: one.median for one in seed_means(timings)}
    said = [sentence.text for sentence in sentences(found)]
    rows = [row for row in grid.rows if not row.control] if grid else []
    ranked = {one.method: place for place, one in enumerate(found.ranking)}
    # Who is not ranked comes behind, by how many properties it is among the best on.
    rows.sort(key=lambda row: (ranked.get(row.method, len(ranked)), -sum(one.best for one in row.entries)))
    shown = rows[:BEST]
    marks = "".join(entry.mark for row in shown for entry in row.entries)
    return Answer(
        found.group,
        not found.refused,
        said[0],
        tuple(said[1 : 1 + REASONS]),
        tuple(said[1 + REASONS :]),
        _price(found, timings),
        grid.columns if grid else (),
        tuple(_best_row(row, found, seconds) for row in shown),
        len(rows),
        (order := _order(found, rows)),
        order == UNORDERED,
        any(entry.best for row in shown for entry in row.entries),
        tuple(f"{sign} {words}" for sign, words in SIGNS.items() if sign in marks),
    )


def _order(found: Recommendation, rows: Sequence[Row]) -> str:
    """What the rows are ordered by: what they were compared by, or their stars, or else nothing."""
    if found.ranking:
        names = list(dict.fromkeys(one.property for one in found.properties if one.weight > 0))
        return f"by {names[0] if len(names) == 1 else f'the {TOLD}'}"
    if any(entry.best for row in rows for entry in row.entries):
        return "by the number of properties on which they are among the best"
    return UNORDERED


def _best_row(row: Row, found: Recommendation, seconds: Mapping[Method, float]) -> BestRow:
    one = next((each for each in found.ranking if each.method == row.method), None)
    score = Entry(math.nan, math.nan, math.nan) if one is None else Entry(one.score, one.low, one.high)
    return BestRow(
        row,
        one is not None and one.recommended,
        score,
        1000 * seconds.get(row.method, math.nan),
    )


def _price(found: Recommendation, timings: Sequence[Timing]) -> str:
    """What the recommended explainers cost, the cheapest first; of models that differ in time the range."""
    seconds = {
        method: [one.median for one in of_method]
        for method, of_method in grouped(timings, lambda one: one.method).items()
    }
    known = sorted(
        (one for one in found.ranking if one.recommended and not math.isnan(one.rows)),
        key=lambda one: (one.rows, fmean(seconds.get(one.method, [0.0]))),
    )
    told = [
        f"{_rows(one.rows)} of the model"
        + (f" and {_milliseconds(seconds[one.method])} ms" if one.method in seconds else "")
        + f" per text ({one.method.title})"
        for one in (known if len(known) <= PRICED else (known[0], known[-1]))
    ]
    return " to ".join(told) if len(known) > PRICED else "; ".join(told)


def _milliseconds(seconds: Sequence[float]) -> str:
    """One time, or the range of several that differ in what is shown."""
    low, high = (three_digits(1000 * end) for end in (min(seconds), max(seconds)))
    return low if low == high else f"{low} to {high}"


def _rows(value: float) -> str:
    """A mean number of rows; it has decimals only where it is none of one text."""
    return counted(int(value), "row") if value == int(value) else f"{three_digits(value)} rows"


def warnings(results: Results, grids: Sequence[Grid]) -> list[str]:
    """What to beware of, the gravest first: missing and failed parts, poor models, metrics that failed their
    check, constant scores, texts that occur twice."""
    return list(dict.fromkeys(_warnings(results, grids)))


def _warnings(results: Results, grids: Sequence[Grid]) -> Iterator[str]:
    failed = sum(absence.failed for absence in results.absences)
    if results.incomplete:
        yield results.incomplete
    elif failed:
        yield f"{counted(failed, 'part')} of this experiment failed; the numbers are of what is left"
    for model in results.models:
        if model.remark:
            yield f"{model.group.title}, seed {model.seed}: {model.remark}"
    for grid in grids:
        yield from grid.warnings
    for negatives in results.negatives:
        if negatives.warning:
            yield negatives.warning
    judged = {
        (group, method): flag
        for (group, method), flag in results.constant.items()
        if method.explainer not in results.controls and group.kind != "mixed"
    }
    for group, of_group in grouped(judged, lambda place: place[0]).items():
        told = "; ".join(f"{method.title} {judged[group, method].words}" for _, method in of_group)
        yield f"{group.title}: all tokens of a text have one score: {told}"
    for task in results.tasks:
        for remark in task.remarks:
            yield f"{task.name}: {remark}"
