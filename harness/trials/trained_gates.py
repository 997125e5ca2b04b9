"""The gates of DiffMask of a trial: trained once on its model and kept in the store, as its model is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, cast

from assay.explainers.masks.diffmask import DiffMask, TrainedDiffMask
from assay.explainers.masks.gate_report import warnings
from assay.explainers.masks.gate_training import train_gates
from assay.explainers.masks.gates import Gates, StoredGates
from assay.explainers.protocol import Explainer
from assay.harness.config.keys import key
from assay.harness.storage.layout import StoredModel, unfinished_training
from assay.harness.storage.locks import run_once
from assay.harness.storage.store import Store, read_json, set_aside, whole_or_full, write_json
from assay.harness.trials.plan import Trial
from assay.harness.trials.trained_once import read_or_retrain
from assay.models.engine import Engine
from assay.models.saving import load, save, weights_hash
from assay.tasks.errors import InputError

# What records of cells say of gates: what they reached, and the rows that their training took.
ABOUT = (
    *("weights", "epsilon", "layers", "texts", "steps", "stopped"),
    *("forward_rows", "backward_rows"),
)

log = logging.getLogger(__name__)


def with_gates(
    explainer: DiffMask, engine: Engine, weights: str, trial: Trial, store: Store
) -> TrainedDiffMask:
    """The explainer with gates trained on the trial's model and training texts, now or before.

    Raises InputError without texts, or on a model that does not show its layers.
    """
    explainer.check(engine)
    settings, name = explainer.settings, gates_key(explainer, weights, trial)
    folder = store.model(name)
    path = StoredModel(folder).training

    def trained() -> bool:
        return read_json(path) is not None

    def train() -> None:
        resume = unfinished_training(folder)
        resume.parent.mkdir(parents=True, exist_ok=True)
        parts = (trial.task.train, trial.task.dev)
        texts, dev = (engine.model.encode([example.texts for example in part]) for part in parts)
        with whole_or_full(resume):
            gates, report = train_gates(settings, engine, texts, dev, resume)
        if folder.is_file():
            set_aside(folder)
        stored = cast(Any, StoredGates(settings, gates))
        with whole_or_full(folder):
            save(stored, folder)
        about = {"gates_of": weights, "weights": weights_hash(stored)}
        write_json(path, {**report.record(), **about})
        resume.unlink(missing_ok=True)
        for warning in warnings(report.record()):
            log.warning("%s: %s", trial.title, warning)

    def ready() -> TrainedDiffMask:
        run_once(store, f"model-{name}", f"training of diffmask for {trial.title}", trained, train)
        stored, record = load(folder, engine.device), read_json(path) or {}
        if record.get("weights") != weights_hash(stored):
            raise InputError(f"{folder} has other weights than its records tell; train again")
        if record.get("gates_of") != weights:
            raise InputError(f"{folder} has gates of another model than its name tells; train again")
        about = {name: record[name] for name in ABOUT}
        return explainer.using(cast(Gates, stored.network), about, engine.model)

    return read_or_retrain(folder, ready)


def gates_key(explainer: DiffMask, weights: str, trial: Trial) -> str:
    """The name of gates, by everything that they are made from: layers read off one training share it."""
    digest = hashlib.sha256()
    for part in (trial.task.train, trial.task.dev):
        digest.update(b"part")
        for example in part:
            digest.update(repr((example.id, example.texts)).encode())
    settings = explainer.settings
    return key("gates", asdict(settings), explainer.version, trial.model_key, weights, digest.hexdigest())


def are_gates(record: dict[str, Any] | None) -> bool:
    """Whether a training report is of gates; they are named by the weights of their model."""
    return bool(record and "gates_of" in record)


def gates_of(explainer: Explainer | None) -> DiffMask | None:
    """The settings of the gates that an explainer, or the one it passes on, needs; None if it needs none."""
    if explainer is None or isinstance(explainer, DiffMask):
        return explainer
    return gates_of(getattr(explainer, "of", None))


def gates_keys(explainers: Iterable[Explainer], weights: str, trial: Trial) -> set[str]:
    """The names of the gates that a trial's explainers need."""
    found = (gates_of(explainer) for explainer in explainers)
    return {gates_key(one, weights, trial) for one in found if one is not None}
