"""What moved between two versions: a row per method and metric of both, Holm over the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import pair_texts
from assay.results.records import CellScores, Group, Method, grouped
from assay.results.statistics.clusters import text_of
from assay.results.statistics.comparison import aligned, estimate, units_of
from assay.results.statistics.estimates import Bootstrap, Estimate, holm
from assay.results.statistics.informed import informed_units, text_count
from assay.results.statistics.ranking import sign
from assay.results.statistics.text_pairs import is_pairwise
from assay.results.statistics.verdicts import NOTHING
from assay.results.versions.difference import Change, change
from assay.results.versions.matching import Pairing, Seeds, matched, matched_seeds, pairing
from assay.results.versions.records import (
    BETTER,
    PAIRED,
    UNMOVED,
    UNPAIRED,
    UNTOLD,
    WORSE,
    ChangeRow,
    Version,
)
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

# So many are named of what only one version has.
NAMED = 6
TRAINED_ONCE = "it is trained once over many texts, so one draw differs from another on all of them"


class Changes(NamedTuple):
    """The rows, and sentences on how they were made and what was left out."""

    rows: list[ChangeRow]
    notes: list[str]


def changes(a: Version, b: Version, bootstrap: Bootstrap, *, these_models: bool = False) -> Changes:
    """What moved from A to B.

    Args:
        a: the version before; `matched` says which groups are compared.
        b: the version after.
        bootstrap: alpha is the family-wise error over the table.
        these_models: whether the claim is about these very models, so that training seeds are no source of
            chance: the n-th seed of A is compared with the n-th of B.

    Raises:
        InputError: nothing is in both, or the groups cannot be matched.
    """
    notes: list[str] = []
    found: list[tuple[ChangeRow, Change]] = []
    pairs = matched(a, b)
    cells = [
        grouped(version.cells, lambda cell: (cell.group, cell.method, cell.metric)) for version in (a, b)
    ]
    names = [(one, other, *key[1:]) for one, other in pairs for key in cells[0] if key[0] == one]
    both = [
        (one, other, method, metric)
        for one, other, method, metric in names
        if (other, method, metric) in cells[1]
    ]
    notes += _left_out(cells, pairs, both, a, b)
    both = [key for key in both if key[3] in a.metrics and not _other_settings(a, b, key[3])]
    if not both:
        raise InputError(
            f"no metric of an explainer is in both {a.name!r} and {b.name!r}"
            + (f" ({'; '.join(notes)})" if notes else "")
            + "; expected the same explainers, baselines and metrics"
        )
    # As small a p as Holm asks for.
    family = replace(bootstrap, alpha=bootstrap.alpha / len(both))
    for one, other, method, name in both:
        seeds = matched_seeds(a, b, one, other, these_models=these_models)
        texts = pairing(a, b, one.task, other.task)
        notes += [f"{one.title} and {other.title}: {seeds.why}", f"{one.task}: {texts.why}"]
        sides = cells[0][one, method, name], cells[1][other, method, name]
        found.append(_row(a, b, (one, other, method), a.metrics[name], sides, seeds, texts, family))
    return Changes(_with_verdicts(found, a.metrics, bootstrap.alpha), list(dict.fromkeys(notes)))


def _row(
    a: Version,
    b: Version,
    names: tuple[Group, Group, Method],
    metric: Metric,
    sides: tuple[Sequence[CellScores], Sequence[CellScores]],
    seeds: Seeds,
    texts: Pairing,
    bootstrap: Bootstrap,
) -> tuple[ChangeRow, Change]:
    one, other, method = names
    cells = [
        [replace(cell, seed=chosen[cell.seed]) for cell in side if cell.seed in chosen]
        for side, chosen in zip(sides, (seeds.one, seeds.other), strict=True)
    ]
    paired = texts.shared is not None
    clusters = a.clusters.get(one.task, {}), b.clusters.get(other.task, {})
    if texts.shared is not None:
        both = [_of_texts(side, metric, texts.shared) for side in cells]
        units = sorted(set(units_of(both[0])) & set(units_of(both[1]))) if all(both) else []
        paired = len(units) > 0
        if paired:
            cells = [[_on(cell, units) for cell in side] for side in both]
            clusters = clusters[0], clusters[0]
    # Texts that are not paired are drawn apart.
    draws = bootstrap, bootstrap if paired else replace(bootstrap, seed=bootstrap.seed + 1)
    first, second = (
        _estimate(side, metric, drawn, of_task)
        for side, drawn, of_task in zip(cells, draws, clusters, strict=True)
    )
    found = change(first, second, metric, bootstrap, paired=paired, same_models=seeds.same)
    if method.explainer in a.trained | b.trained and seeds.same and not math.isnan(found.p):
        found = found._replace(p=math.nan, note=TRAINED_ONCE)
    row = ChangeRow(
        task=one.task,
        model=one.model,
        other_model=other.model,
        kind=one.kind,
        **method._asdict(),
        metric=metric.name,
        value_a=found.one.value,
        value_b=found.other.value,
        difference=found.difference,
        low=found.interval.low,
        high=found.interval.high,
        p=found.p,
        p_holm=math.nan,
        verdict=UNTOLD,
        about=found.about,
        texts=PAIRED if paired else UNPAIRED,
        n_texts=(n_texts := min(found.one.texts, found.other.texts)),
        shared_texts=min(n_texts, _shared(cells, metric)) if paired else 0,
        seeds_a=len(found.one.values),
        seeds_b=len(found.other.values),
        control=method.explainer in a.controls | b.controls,
        note=found.note,
        direction=metric.direction,
    )
    return row, found


def _shared(sides: Sequence[Sequence[CellScores]], metric: Metric) -> int:
    """The number of texts that have a value on both sides."""
    one, other = (informed_units(cells, metric) for cells in sides)
    return text_count(one & other, metric)


def _estimate(
    cells: Sequence[CellScores], metric: Metric, bootstrap: Bootstrap, clusters: Mapping[str, str]
) -> Estimate:
    found = estimate(cells, metric, bootstrap, clusters)
    return next(iter(found.values()))[0] if found else NOTHING


def _of_texts(cells: Iterable[CellScores], metric: Metric, shared: frozenset[str]) -> list[CellScores]:
    """The cells on units whose texts are shared."""
    found = []
    for cell in cells:
        texts = [pair_texts(unit) if is_pairwise(metric) else (text_of(unit, metric),) for unit in cell.units]
        kept = [unit for unit, of_unit in zip(cell.units, texts, strict=True) if shared.issuperset(of_unit)]
        found.append(_on(cell, kept))
    return found


def _on(cell: CellScores, units: Sequence[str]) -> CellScores:
    """The cell on these units, sorted; NaN for those that it lacks."""
    if list(cell.units) == list(units):
        return cell
    kept = np.isin(np.asarray(cell.units), np.asarray(units, dtype=object)) if len(units) else np.zeros(
        len(cell.units), dtype=bool
    )  # fmt: skip
    of_kept = replace(
        cell,
        units=tuple(unit for unit, stays in zip(cell.units, kept, strict=True) if stays),
        parts={name: values[kept] for name, values in cell.parts.items()},
    )
    return replace(of_kept, units=tuple(units), parts=aligned(of_kept, units))


def _with_verdicts(
    found: Sequence[tuple[ChangeRow, Change]], metrics: Mapping[str, Metric], alpha: float
) -> list[ChangeRow]:
    tested = [row for row, _ in found if math.isfinite(row.p)]
    adjusted = dict(zip(map(id, tested), holm([row.p for row in tested]).tolist(), strict=True))
    rows = []
    for row, _ in found:
        if id(row) in adjusted:
            gain = sign(metrics[row.metric]) * row.difference
            moved = adjusted[id(row)] <= alpha
            verdict = (BETTER if gain > 0 else WORSE) if moved else UNMOVED
            row = replace(row, p_holm=adjusted[id(row)], verdict=verdict)
        rows.append(row)
    return rows


def _other_settings(a: Version, b: Version, metric: str) -> bool:
    known = a.settings.get(metric, ""), b.settings.get(metric, "")
    operators = a.removals.get(metric, ""), b.removals.get(metric, "")
    return (
        metric not in b.metrics
        or (all(known) and known[0] != known[1])
        or (all(operators) and operators[0] != operators[1])
    )


def _left_out(
    cells: Sequence[Mapping[tuple[Group, Method, str], object]],
    pairs: Sequence[tuple[Group, Group]],
    both: Sequence[tuple[Group, Group, Method, str]],
    a: Version,
    b: Version,
) -> list[str]:
    """A sentence for what only one version has, and for metrics with other settings."""
    notes = []
    for place, version in enumerate((a, b)):
        groups = {pair[place] for pair in pairs}
        compared = {(key[place], *key[2:]) for key in both}
        alone = [key for key in cells[place] if key not in compared and key[0] in groups]
        others = [group.title for group in version.groups if group not in groups]
        what = list(dict.fromkeys(f"{method.title} by {metric}" for _, method, metric in alone))
        if what or others:
            alone = [*others, *what]
            more = f" and {counted(len(alone) - NAMED, 'other')}" if len(alone) > NAMED else ""
            notes.append(f"only in {version.name}: {', '.join(alone[:NAMED])}{more}")
    changed = {key[3] for key in both if _other_settings(a, b, key[3])}
    return notes + [f"{name} has other settings in {b.name}, so it is left out" for name in sorted(changed)]
