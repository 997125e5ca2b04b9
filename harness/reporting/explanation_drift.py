"""The explanations of two versions that a store has of both, compared text by text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

from assay.harness.reporting.content_scores import explained_part
from assay.harness.reporting.missing import group_of, method_of
from assay.harness.reporting.versions import Side
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import trial_cells
from assay.results.records import Group, Method
from assay.results.versions.drift import (
    MOST,
    DriftRow,
    Explained,
    MovedText,
    OfTexts,
    Scores,
    between,
    drift_row,
    most_moved,
)
from assay.results.versions.matching import matched, matched_seeds, pairing


def drift(
    a: Side, b: Side, *, these_models: bool = False
) -> tuple[list[DriftRow], list[MovedText], list[str]]:
    """The agreement of every method, the texts that moved most, and what could not be compared.

    One method's explanations are in memory at a time. Of an explainer that draws, those of its first seed.
    Models are compared as in `matched_seeds`: the same ones with themselves, others each with each.
    """
    rows, texts, notes = [], [], []
    for one, other in matched(a.version, b.version):
        trials = _trials(a, one), _trials(b, other)
        shared = pairing(a.version, b.version, one.task, other.task).shared
        if shared is None or not all(trials) or a.store is None or b.store is None:
            continue
        if trials[0][0].task.labels != trials[1][0].task.labels:
            notes.append(f"{one.task}: explanations are not compared, because the labels are others")
            continue
        seeds = matched_seeds(a.version, b.version, one, other, these_models=these_models)
        cells = [_cells(of_side, side.store) for of_side, side in zip(trials, (a, b), strict=True)]
        candidates: list[OfTexts] = []
        shown = {example.id: " / ".join(example.texts) for trial in trials[0] for example in trial.task.test}
        for method in [method for method in cells[0] if method in cells[1]]:
            of_a, of_b = cells[0][method], cells[1][method]
            pairs = [
                (mine, theirs)
                for mine, theirs in product(of_a, of_b)
                if not seeds.same or seeds.one.get(mine) == seeds.other.get(theirs, "")
            ]
            read = [
                {seed: _explained(cell, side.store) for seed, cell in of_side.items()}
                for of_side, side in ((of_a, a), (of_b, b))
            ]
            found = between([(read[0][mine], read[1][theirs]) for mine, theirs in pairs], shared)
            within = between([(read[0][x], read[0][y]) for x, y in combinations(of_a, 2)], shared)
            control = method.explainer in a.version.controls | b.version.controls
            alone = len(of_a) < 2
            rows.append(drift_row((one, other), method, found, None if alone else within, control=control))
            if not control:
                candidates.append(found)
        texts += most_moved(one.task, candidates, shown)
    return rows, sorted(texts, key=lambda text: text.agreement)[:MOST], notes


def _trials(side: Side, group: Group) -> list[Trial]:
    """The trials of a group that are of the version."""
    seeds = {cell.seed for cell in side.version.cells if cell.group == group}
    return [trial for trial in side.trials if group_of(trial) == group and str(trial.seed) in seeds]


def _cells(trials: Sequence[Trial], store: Store | None) -> dict[Method, dict[str, Cell]]:
    """By method and model seed the finished cell with the first explainer seed."""
    found: dict[Method, dict[str, Cell]] = {}
    assert store is not None
    for trial in trials:
        planned = trial_cells(trial, store)
        for cell in planned.done(store) if planned else ():
            found.setdefault(method_of(cell), {}).setdefault(str(trial.seed), cell)
    return found


def _explained(cell: Cell, store: Store | None) -> Explained:
    """The scores of content tokens, by text and class."""
    assert store is not None
    found: dict[tuple[str, int], Scores] = {}
    for part in StoredCell(store.cell(cell.key)).parts():
        found |= explained_part(part)
    return found
