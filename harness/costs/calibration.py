"""About ten seconds of the real work on few texts, by models of the right size that are not trained."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np

from assay.harness.config.build import build
from assay.harness.config.engines import engine_of
from assay.harness.costs import speeds
from assay.harness.costs.speeds import Rate, Speeds, workload
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.cells import Loaded, StoredShards, explain_part, score, scores_path
from assay.harness.trials.census import TrialPreview, preview_loaded, words
from assay.harness.trials.incompatibilities import metric_incompatibility
from assay.harness.trials.plan import Cell
from assay.harness.trials.trial import cells_of_model, scored_on
from assay.metrics.model_pairs import ModelPairMetric
from assay.models.protocol import Model, capabilities
from assay.models.training import OwnTraining, Trainable, train
from assay.tasks.errors import InputError
from assay.tasks.example import Task

# Seconds in which all models of an experiment are measured; building them comes on top.
SECONDS = 10.0
# Texts that are explained, and texts that models are trained on.
WARMUP, TEXTS = 2, 256
# Share of a model's time that explanations are expected to take; metrics get the rest.
EXPLAINING = 0.4


def calibrate(previews: Sequence[TrialPreview], seconds: float = SECONDS) -> dict[str, Speeds]:
    """Measure every model of the trials on this machine, in about so many seconds; by `speeds_key`."""
    kinds: dict[str, TrialPreview] = {}
    for preview in previews:
        name = speeds.speeds_key(preview.trial.config)
        if name not in kinds or kinds[name].trial.kind == "untrained":
            kinds[name] = preview
    with ExitStack() as stack:
        # No warnings: what metrics say of few texts and an untrained model is nobody's concern.
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.WARNING)
        return {name: _measure(preview, seconds / len(kinds)) for name, preview in kinds.items()}


def _measure(preview: TrialPreview, seconds: float) -> Speeds:
    config, trial = preview.trial.config, replace(preview.trial, task=_few(preview.trial.task))
    spec = build(config.model)
    model: Model = spec if isinstance(spec, Model) else spec.untrained(trial.task, trial.seed)
    rates: dict[str, Rate] = {}
    if not isinstance(spec, Model):
        network = cast(Trainable, model).network.to(config.engine.device)
        rates[speeds.WEIGHTS] = Rate(0.0, sum(4 * weight.numel() for weight in network.parameters()))
        if trial.kind == "trained" and trial.task.train:
            rates[speeds.TRAINING] = _training(preview, trial.task, cast(Trainable, model), spec)
        network.eval().requires_grad_(False)
    engine = engine_of(model, config.engine)
    encodings = model.encode([example.texts for example in trial.task.test])
    asked = encodings[:32]
    asking = _seconds(lambda: engine.probabilities(asked)) / len(asked)
    rates[speeds.ASKING] = Rate(asking)
    loaded = Loaded(trial, engine, "", capabilities(model), engine.probabilities(encodings))
    # Of the model alone, per unit of work.
    model_rate = Rate(asking / float(np.mean([words(example) for example in trial.task.test])))
    for size in (WARMUP, _affordable(loaded, EXPLAINING * seconds / model_rate.seconds)):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            rates |= _work(_first(loaded, size), Store(folder), model_rate, seconds)
        if time.perf_counter() - began > seconds:
            break
    return Speeds(rates, tuple(sorted(loaded.capabilities)))


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


def _training(preview: TrialPreview, task: Task, model: Trainable, spec: Any) -> Rate:
    """One epoch on few texts, with as many development texts as belong to them."""
    size = min(len(task.train), 4 * spec.training.batch_size)
    dev = max(1, round(size * preview.sizes.dev / preview.sizes.train))
    part = replace(task, train=task.train[:size], dev=task.dev[:dev], test=task.test[:1])

    once, seed = replace(spec, training=replace(spec.training, epochs=1)), preview.trial.seed

    def epoch() -> None:
        model.network.requires_grad_(True)
        if isinstance(once, OwnTraining):
            once.train_model(model, part, seed)
        else:
            train(model, part, once.training, seed, name=preview.trial.model_name)

    return Rate(_seconds(epoch) / size)


def _units(loaded: Loaded) -> list[tuple[Cell, float]]:
    """Every cell that makes sense, with its units of work on all texts."""
    planned, preview = cells_of_model(loaded.trial, "", loaded.capabilities), preview_loaded(loaded.trial)
    return [(cell, workload(cell.method, preview).units) for cell in planned.possible]


def _affordable(loaded: Loaded, units: float) -> int:
    """How many texts all methods together can explain in so many units of work."""
    texts = len(loaded.trial.task.test)
    of_all = sum(of_cell for _, of_cell in _units(loaded))
    return int(np.clip(units * texts / max(of_all, 1.0), WARMUP, texts))


def _work(loaded: Loaded, store: Store, model_rate: Rate, seconds: float) -> dict[str, Rate]:
    """Explain and score all texts by every method and metric that make sense; the rates by name.

    A method that would take all the time by itself gets the speed of the model alone.
    """
    rates: dict[str, Rate] = {}
    texts = len(loaded.trial.task.test)
    for cell, units in _units(loaded):
        name = speeds.method_name(cell.method)
        if not speeds.has_own_pace(cell.method.explainer):
            rates[name] = model_rate
        # What fails on few texts, or with a model that is not trained, may not fail in the run.
        with suppress(InputError):
            # What is trained first takes longer than a calibration may.
            if units * model_rate.seconds <= seconds and not cell.method.explainer.traits.from_model:
                began = time.perf_counter()
                for number in range(len(loaded.parts())):
                    explain_part(cell, loaded, store, number)
                spent = time.perf_counter() - began
                stored = speeds.explanation_bytes(StoredCell(store.cell(cell.key)))
                rates[name] = Rate(spent / units, stored / texts)
                rates |= _scores(cell, loaded, store, rates)
    return rates


def _scores(cell: Cell, loaded: Loaded, store: Store, known: Mapping[str, Rate]) -> dict[str, Rate]:
    """The rates of metrics on one cell; those that `known` has already are left out."""
    rates: dict[str, Rate] = {}
    shards = StoredShards(store.cell(cell.key), loaded)
    distances = {example.id: float(place) for place, example in enumerate(loaded.trial.task.test)}
    if "activations" in loaded.capabilities:
        # A trial asks for them once, not once for every cell.
        loaded.activations()
    for chosen in scored_on(cell, loaded.trial.choice.metrics):
        name, path = speeds.metric_name(chosen, cell.method), scores_path(store, cell, chosen)
        if name in known or metric_incompatibility(chosen, loaded.trial, loaded.capabilities) is not None:
            continue
        texts, began = speeds.texts_scored(chosen, len(distances)), time.perf_counter()
        with suppress(InputError):
            if isinstance(chosen.metric, ModelPairMetric):
                chosen.metric.score_pair(shards, shards, distances)
            else:
                score(cell, chosen, loaded, store)
            stored = path.stat().st_size if path.exists() else 0
            rates[name] = Rate((time.perf_counter() - began) / texts, stored / texts)
    return rates
