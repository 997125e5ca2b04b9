"""About ten seconds of the real work on few texts, by models of the right size that are not trained."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from assay.harness.config.build import build
from assay.harness.costs import speeds
from assay.harness.costs.speeds import (
    Rate,
    Speeds,
    explanation_bytes,
    load,
    method_name,
    metric_name,
    texts_scored,
)
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.cells import Loaded, StoredShards, explain_part, score
from assay.harness.trials.census import TrialPreview, words
from assay.harness.trials.plan import Cell, cells, metric_incompatibility
from assay.harness.trials.trial import scored_on
from assay.metrics.model_pairs import ModelPairMetric
from assay.models.engine import Engine
from assay.models.protocol import Model, abilities
from assay.models.training import Trainable, train
from assay.tasks.errors import InputError
from assay.tasks.example import Task

# Seconds in which all models of an experiment are measured; building them comes on top.
SECONDS = 10.0
# Texts that are explained, and texts that models are trained on.
WARMUP, TEXTS = 2, 256
# Share of a model's time that explanations are expected to take; metrics get the rest.
EXPLAINING = 0.4


def calibrate(outlooks: Sequence[TrialPreview], seconds: float = SECONDS) -> dict[str, Speeds]:
    """Measure every model of the trials on this machine, in about so many seconds; by `speeds_key`."""
    kinds: dict[str, TrialPreview] = {}
    for outlook in outlooks:
        name = speeds.speeds_key(outlook.trial.config)
        if name not in kinds or kinds[name].trial.kind == "untrained":
            kinds[name] = outlook
    with _quiet():
        return {name: _measure(outlook, seconds / len(kinds)) for name, outlook in kinds.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings: what metrics say of few texts and an untrained model is nobody's concern."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _measure(outlook: TrialPreview, seconds: float) -> Speeds:
    trial = replace(outlook.trial, task=_few(outlook.trial.task))
    spec = build(trial.config.model)
    model: Model = spec if isinstance(spec, Model) else spec.untrained(trial.task, trial.seed)
    rates: dict[str, Rate] = {}
    if not isinstance(spec, Model):
        network = cast(Trainable, model).network.to(trial.config.engine.device)
        rates[speeds.WEIGHTS] = Rate(0.0, sum(4 * weight.numel() for weight in network.parameters()))
        if trial.kind == "trained":
            rates[speeds.TRAINING] = _training(outlook, trial.task, cast(Trainable, model), spec)
        network.eval().requires_grad_(False)
    engine = Engine(model, trial.config.engine.device, trial.config.engine.budget)
    encodings = model.encode([example.texts for example in trial.task.test])
    asked = encodings[:32]
    rates[speeds.ASKING] = Rate(_seconds(lambda: engine.probabilities(asked)) / len(asked))
    loaded = Loaded(trial, engine, "", abilities(model), engine.probabilities(encodings))
    for size in (WARMUP, _affordable(loaded, rates[speeds.ASKING].seconds, seconds)):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            rates |= _work(_first(loaded, size), Store(Path(folder)), rates[speeds.ASKING].seconds, seconds)
        if time.perf_counter() - began > seconds:
            break
    return Speeds(rates, tuple(sorted(loaded.abilities)))


def _few(task: Task) -> Task:
    """The task with few texts; the first of those to explain are spread over all lengths."""
    test = sorted(task.test, key=words)
    golden = (5**0.5 - 1) / 2
    places = [int((0.5 + place * golden) % 1 * len(test)) for place in range(2 * TEXTS)]
    chosen = tuple(test[place] for place in list(dict.fromkeys(places))[:TEXTS])
    return replace(task, train=task.train[:TEXTS], dev=task.dev[:TEXTS], test=chosen)


def _first(loaded: Loaded, size: int) -> Loaded:
    """The trial with its first texts."""
    task = replace(loaded.trial.task, test=loaded.trial.task.test[:size])
    trial, probabilities = replace(loaded.trial, task=task), loaded.probabilities[:size]
    return replace(loaded, trial=trial, probabilities=probabilities, _activations={})


def _seconds(run: Callable[[], object]) -> float:
    """Of the second time, because the first imports and fills caches."""
    run()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _training(outlook: TrialPreview, task: Task, model: Trainable, spec: Any) -> Rate:
    """One epoch on few texts, with as many development texts as belong to them."""
    size = min(len(task.train), 4 * spec.training.batch_size)
    dev = max(1, round(size * outlook.sizes.dev / outlook.sizes.train))
    part = replace(task, train=task.train[:size], dev=task.dev[:dev], test=task.test[:1])

    settings = {"training": replace(spec.training, epochs=1), "seed": outlook.trial.seed}

    def epoch() -> None:
        model.network.requires_grad_(True)
        train(model, part, **settings, name=outlook.trial.model_name)

    return Rate(_seconds(epoch) / size)


def _planned(loaded: Loaded) -> list[Cell]:
    return [cell for cell in cells(loaded.trial, "", loaded.abilities) if cell.refusal is None]


def _units(cell: Cell, loaded: Loaded) -> int:
    """Units of `load` of explaining all texts."""
    lengths = np.array([words(example) for example in loaded.trial.task.test])
    targets = speeds.targets_of(loaded.trial.config, len(loaded.trial.task.labels))
    return int(load(cell.method, lengths, targets)[2].sum())


def _per_unit(loaded: Loaded, asking: float) -> float:
    """Seconds per unit of `load` inside the model. asking: seconds per text."""
    return asking / float(np.mean([words(example) for example in loaded.trial.task.test]))


def _affordable(loaded: Loaded, asking: float, seconds: float) -> int:
    """How many texts all methods can explain in their share of the time, by the speed of the model alone."""
    units = sum(_units(cell, loaded) for cell in _planned(loaded)) / len(loaded.trial.task.test)
    texts = EXPLAINING * seconds / max(units * _per_unit(loaded, asking), 1e-9)
    return int(np.clip(texts, WARMUP, len(loaded.trial.task.test)))


def _work(loaded: Loaded, store: Store, asking: float, seconds: float) -> dict[str, Rate]:
    """Explain and score all texts by every method and metric that make sense; the rates by name.

    A method that would take all the time by itself gets the speed of the model alone.
    """
    rates: dict[str, Rate] = {}
    texts = len(loaded.trial.task.test)
    for cell in _planned(loaded):
        units, stored = _units(cell, loaded), StoredCell(store.cell(cell.key))
        rates[method_name(cell.method)] = Rate(_per_unit(loaded, asking))
        if units * _per_unit(loaded, asking) > seconds:
            continue
        began = time.perf_counter()
        try:
            for number in range(len(loaded.parts())):
                explain_part(cell, loaded, store, number)
        except InputError:
            # The model is not trained; the run will tell whether this happens to one that is.
            continue
        spent = time.perf_counter() - began
        rates[method_name(cell.method)] = Rate(spent / units, explanation_bytes(stored) / texts)
        rates |= _scores(cell, loaded, store, rates)
    return rates


def _scores(cell: Cell, loaded: Loaded, store: Store, known: dict[str, Rate]) -> dict[str, Rate]:
    """The rates of metrics on one cell; those that `known` has already are left out."""
    rates: dict[str, Rate] = {}
    if "activations" in loaded.abilities:
        # A trial asks for them once, not once for every cell.
        loaded.activations()
    for chosen in scored_on(cell, loaded.trial.choice.metrics):
        name = metric_name(chosen, cell.method)
        if name in known or metric_incompatibility(chosen, loaded.trial, loaded.abilities) is not None:
            continue
        texts, began = texts_scored(chosen, len(loaded.trial.task.test)), time.perf_counter()
        path = StoredCell(store.cell(cell.key)).scores(chosen.key)
        try:
            if isinstance(chosen.metric, ModelPairMetric):
                shards = StoredShards(store.cell(cell.key), loaded)
                apart = {example.id: float(at) for at, example in enumerate(loaded.trial.task.test)}
                chosen.metric.score_pair(shards, shards, apart)
            else:
                score(cell, chosen, loaded, store)
        except InputError:
            # Few texts, or a model that is not trained; the run will tell.
            continue
        stored = path.stat().st_size if path.exists() else 0
        rates[name] = Rate((time.perf_counter() - began) / texts, stored / texts)
    return rates
