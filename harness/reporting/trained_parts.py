"""What was trained beside the models of an experiment, as finished results name it: how good masked language
models are, and whether results that a table sets side by side rest on one training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pyarrow import ArrowException

from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.harness.storage.layout import CELLS, MODELS, StoredCell, StoredModel
from assay.harness.storage.store import Store, read_json
from assay.harness.trials.made_with import has_masked_lm, read_made_with
from assay.harness.trials.masked_lms import is_masked_lm
from assay.harness.trials.notes import mlm_note
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trained_gates import gates_of

MASKED_LM, GATES = "masked language models", "trainings of diffmask"


class Use(NamedTuple):
    """What a result rests on. kind: of what was trained. settings: of its training. weights: their hash.
    result: the title of the result. cell: the folder's name."""

    kind: str
    settings: Any
    weights: str
    result: str
    cell: str


def trained_notes(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[str]:
    """A sentence for every masked language model that results of the trial rest on, and one for results that
    rest on several trainings of what should be one. cells: those that are complete."""
    used = list(uses(trial, cells, store))
    asked = {use.weights for use in used if use.kind == MASKED_LM}
    for about in _reports(cells, asked, store).values():
        yield mlm_note(trial, about)
    yield from _several(trial, used)


def uses(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[Use]:
    """What the explanations of each cell, and their scores, name as trained beside the model."""
    for cell in cells:
        folder, method = StoredCell(store.cell(cell.key)), cell.method
        # All parts of a cell were made with the same.
        made = _made_with(folder.part(0))
        if (gates := gates_of(method.explainer)) is not None and "gates" in made:
            yield Use(GATES, gates.settings, made["gates"], cell.title, cell.key)
        if isinstance(method.baseline, MaskedLanguageModel) and "baseline" in made:
            yield Use(MASKED_LM, method.baseline.trained, made["baseline"], cell.title, cell.key)
        for chosen in trial.choice.metrics:
            removal = chosen.used_removal
            if isinstance(removal, MaskedLanguageModel) and has_masked_lm(removal):
                scored = _made_with(folder.scores(chosen.key))
                if "removal" in scored:
                    title = f"{chosen.metric.name} of {cell.title}"
                    yield Use(MASKED_LM, removal.trained, scored["removal"], title, cell.key)


def _made_with(path: Any) -> Mapping[str, str]:
    try:
        return read_made_with(path)
    except (OSError, ArrowException):  # not there yet, or damaged: what reads the whole file tells of it
        return {}


def _reports(cells: Sequence[Cell], weights: set[str], store: Store) -> dict[str, Mapping[str, Any]]:
    """By weights what is on record of each masked language model: by cells that explain with it, or where
    only metrics do, by its training report."""
    found: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        if has_masked_lm(cell.method.baseline):
            record = read_json(StoredCell(store.cell(cell.key)).record) or {}
            if about := record.get("masked_language_model"):
                found[about.get("weights", cell.key)] = about
    if weights - set(found):
        for folder in store.folders(MODELS):
            report = read_json(StoredModel(folder).training)
            if report is not None and is_masked_lm(report) and report["weights"] in weights:
                found.setdefault(report["weights"], report)
    return found


def _several(trial: Trial, used: Sequence[Use]) -> Iterator[str]:
    by_training: dict[tuple[str, str], dict[str, list[Use]]] = {}
    for use in used:
        name = use.kind, repr(use.settings)
        by_training.setdefault(name, {}).setdefault(use.weights, []).append(use)
    for (kind, _), by_weights in by_training.items():
        if len(by_weights) > 1:
            *fewer, most = sorted(by_weights.values(), key=len)
            others = list(dict.fromkeys(use.result for of in fewer for use in of))
            folders = list(dict.fromkeys(f"{CELLS}/{use.cell}" for of in fewer for use in of))
            yield (
                f"{trial.title}: results rest on {len(by_weights)} {kind} of the same settings, trained one "
                f"after the other, and must not be compared: {', '.join(others)} on other weights than "
                f"{', '.join(dict.fromkeys(use.result for use in most))}; remove {', '.join(folders)} from "
                "the store and run again"
            )
