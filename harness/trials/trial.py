"""One trial as it stands on disk, and its model, trained or loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.harness.config.build import build
from assay.harness.config.choice import (
    EVERY_CAPABILITY,
    ChosenMetric,
    capabilities_record,
    recorded_capabilities,
)
from assay.harness.config.engines import engine_of
from assay.harness.storage.layout import StoredCell, StoredModel, StoredTrial, unfinished_training
from assay.harness.storage.locks import run_once
from assay.harness.storage.store import (
    Store,
    present,
    read_json,
    read_table,
    set_aside,
    whole_or_full,
    write_json,
    write_table,
)
from assay.harness.trials.cells import Loaded, scores_path
from assay.harness.trials.checks import require_sound
from assay.harness.trials.incompatibilities import cell_metric_incompatibility, metric_incompatibility
from assay.harness.trials.plan import Cell, Trial, cells
from assay.harness.trials.ready_models import ready_model
from assay.harness.trials.trained_once import read_or_retrain
from assay.metrics.cell_data import CellMetric, predicted
from assay.models.alignment import Cut, count_cut
from assay.models.engine import Engine
from assay.models.protocol import Model, capabilities
from assay.models.report import Majority, Quality, majority, quality, unknown_quality, vote_distance
from assay.models.saving import load, save, weights_hash
from assay.models.training import encode_split, fit
from assay.models.training_resume import Resume
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class TrialCells:
    """The cells of a trial whose model is known.

    Attributes:
        weights: the hash of the model's weights.
        capabilities: the capabilities of the model.
        cells: every method and explainer seed, refused ones included, in the order of the configuration.
        metrics: the chosen metrics that single cells of the trial can be scored on.
    """

    weights: str
    capabilities: frozenset[str]
    cells: tuple[Cell, ...]
    metrics: tuple[ChosenMetric, ...]

    @property
    def possible(self) -> list[Cell]:
        """The cells that make sense."""
        return [cell for cell in self.cells if cell.incompatibility is None]

    def done(self, store: Store) -> list[Cell]:
        """The cells whose explanations are on disk."""
        return [cell for cell in self.possible if StoredCell(store.cell(cell.key)).done]


def trial_cells(trial: Trial, store: Store) -> TrialCells | None:
    """The cells of a trial by its model's card; None before the model was first loaded."""
    card = read_card(trial, store)
    return None if card is None else cells_of_model(trial, card["weights"], recorded_capabilities(card))


def assumed_cells(trial: Trial) -> TrialCells:
    """The cells of a trial if its model had every capability, with keys that name nothing."""
    return cells_of_model(trial, "unknown", EVERY_CAPABILITY)


def cells_of_model(trial: Trial, weights: str, capabilities: frozenset[str]) -> TrialCells:
    """The cells of a trial with a model of these weights and capabilities."""
    metrics = [
        chosen
        for chosen in trial.choice.metrics
        if isinstance(chosen.metric, CellMetric)
        and metric_incompatibility(chosen, trial, capabilities) is None
    ]
    return TrialCells(weights, capabilities, tuple(cells(trial, weights, capabilities)), tuple(metrics))


def complete(trial: Trial, store: Store) -> bool:
    """Whether everything of the trial is on disk, without loading its model; a damaged record is not."""
    planned, stored = trial_cells(trial, store), stored_trial(trial, store)
    if planned is None or stored is None:
        return False
    if read_json(stored.record) is None or not stored.predictions.is_file():
        return False
    possible = planned.possible
    records = [read_json(StoredCell(store.cell(cell.key)).record) for cell in possible]
    return None not in records and all(
        scores_path(store, cell, chosen).exists()
        for cell in possible
        for chosen in scored_on(cell, planned.metrics)
    )


def read_card(trial: Trial, store: Store) -> dict[str, Any] | None:
    """Weights hash and capabilities of the trial's model; None before it was first loaded."""
    return read_json(StoredModel(store.model(trial.model_key)).card)


def read_trial(trial: Trial, store: Store) -> dict[str, Any] | None:
    """The stored record of a trial: sizes, quality, weights; None before its model was asked."""
    stored = stored_trial(trial, store)
    return None if stored is None else read_json(stored.record)


def scored_on(cell: Cell, metrics: Iterable[ChosenMetric]) -> list[ChosenMetric]:
    """Those of its trial's metrics (`TrialCells.metrics`) that make sense for this cell."""
    return [chosen for chosen in metrics if cell_metric_incompatibility(cell, chosen) is None]


def load_model(trial: Trial, store: Store) -> Loaded:
    """The trial's model, from the store or trained now, with its probabilities on the explained texts."""
    model, weights = ready_model(trial.config, trial.task) or trained_model(trial, store)
    return on_texts(trial, engine_of(model, trial.config.engine), weights, store)


def on_texts(trial: Trial, engine: Engine, weights: str, store: Store) -> Loaded:
    """A trial with its model at hand; probabilities of the explained texts are read, or asked and stored."""
    has = capabilities(engine.model)
    card = {"weights": weights, **capabilities_record(has)}
    if read_card(trial, store) != card:
        write_json(StoredModel(store.model(trial.model_key)).card, card)
    return Loaded(trial, engine, weights, has, _probabilities(trial, engine, weights, store), store=store)


def trained_model(trial: Trial, store: Store) -> tuple[Model, str]:
    """The trial's model, trained once and kept in the store, and the hash of its weights."""
    folder, device = store.model(trial.model_key), trial.config.engine.device
    report_path = StoredModel(folder).training

    def trained() -> bool:
        return read_json(report_path) is not None

    def train() -> None:
        resume = Resume(unfinished_training(folder), guard=whole_or_full)
        resume.path.parent.mkdir(parents=True, exist_ok=True)
        model, report = fit(build(trial.config.model), trial.task, trial.seed, device, resume)
        if folder.is_file():
            set_aside(folder)
        with whole_or_full(folder):
            save(model, folder)
        about = {"seconds": report.seconds, "weights": weights_hash(model)}
        write_json(report_path, {**report.record(), **about})
        resume.remove()

    def ready() -> tuple[Model, str]:
        run_once(store, f"model-{trial.model_key}", f"training of {trial.title}", trained, train)
        model = load(folder, device)
        weights = weights_hash(model)
        # Whole files of another model would load as well.
        if recorded_weights(StoredModel(folder)) not in (None, weights):
            raise InputError(f"{folder} has other weights than its records tell; train again")
        return model, weights

    return read_or_retrain(folder, ready)


def recorded_weights(stored: StoredModel) -> str | None:
    """The hash of the weights that the records of a model tell of; None if they do not."""
    # Training reports of earlier versions do not tell.
    records = [record for path in (stored.training, stored.card) if (record := read_json(path)) is not None]
    return next((str(record["weights"]) for record in records if "weights" in record), None)


def _probabilities(trial: Trial, engine: Engine, weights: str, store: Store) -> NDArray[np.float64]:
    """Predictions on the explained texts, from disk or asked now."""
    name = trial.key(weights)
    stored = StoredTrial(store.trial(name))
    path = stored.predictions

    def predict() -> None:
        import pandas as pd

        task = trial.task
        require_sound(trial.model_name, engine, [example.texts for example in task.test])
        split = encode_split(engine.model, task.test)
        probabilities = engine.probabilities(split.encodings)
        ids = [example.id for example in task.test]
        write_table(path, pd.DataFrame({"example_id": ids, "probabilities": list(probabilities)}))
        decided, right = predicted(probabilities, multi_label=task.multi_label), split.targets > 0
        measured, beside = unknown_quality(), None
        if task.labelled:
            measured = quality(right, decided, task.labels)
            beside = majority(right, decided, task.labels, multi_label=task.multi_label)
        cut = count_cut(task.test, split.encodings)
        record = _record(trial, weights, measured, beside, cut)
        votes = vote_distance(probabilities, [example.shares for example in task.test])
        write_json(stored.record, record if votes is None else {**record, "votes": asdict(votes)})

    def predicted_already() -> bool:
        return present(path) and read_json(stored.record) is not None

    run_once(store, f"trial-{name}", f"predictions of {trial.title}", predicted_already, predict)
    return read_predictions(stored)[1]


def read_predictions(stored: StoredTrial) -> tuple[list[str], NDArray[np.float64]]:
    """Ids (N) of the explained texts and their probabilities (N, K). Raises Damaged."""
    table = read_table(stored.predictions)
    return table["example_id"].to_pylist(), np.stack(table["probabilities"].to_pylist())


def stored_trial(trial: Trial, store: Store) -> StoredTrial | None:
    """The trial's folder; None before its model was first loaded."""
    card = read_card(trial, store)
    return None if card is None else StoredTrial(store.trial(trial.key(card["weights"])))


def _record(
    trial: Trial, weights: str, measured: Quality, beside: Majority | None, cut: Cut
) -> dict[str, Any]:
    """What trial.json says of the model on these texts."""
    return {
        "task": trial.task.name,
        "labels": list(trial.task.labels),
        "sizes": {name: len(getattr(trial.task, name)) for name in ("train", "dev", "test")},
        "explained": trial.explained,
        "model": str(trial.config.model.name),
        "kind": trial.kind,
        "seed": trial.seed,
        "weights": weights,
        "cut": asdict(cut),
        **measured.record(),
        "majority": None if beside is None else asdict(beside),
    }
