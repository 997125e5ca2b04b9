"""Ten seconds of the real work on a few texts, by models of the right size that were not trained."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from assay.explainers.protocol import Request
from assay.harness.config.build import build
from assay.harness.costs import speeds
from assay.harness.costs.bench import Bench, explain_all
from assay.harness.costs.bench_metrics import score_all
from assay.harness.costs.pace import grow, line, timed
from assay.harness.costs.speeds import Rate, Speeds
from assay.harness.trials.cells import Loaded
from assay.harness.trials.census import Outlook, words
from assay.models.engine import Engine
from assay.models.protocol import Model, abilities
from assay.models.training import Trainable, train
from assay.tasks.example import Task

# Seconds in which all models of an experiment are measured; building them comes on top.
SECONDS = 10.0
# Texts that are explained at most, and texts that models are trained on.
TEXTS = 256
# Shares of a model's time.
TRAINING, ASKING = 0.15, 0.05


def calibrate(outlooks: Sequence[Outlook], seconds: float = SECONDS) -> dict[str, Speeds]:
    """By `speeds_key` how fast each model of the trials goes on this machine, in about so many seconds."""
    kinds: dict[str, Outlook] = {}
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


def _measure(outlook: Outlook, seconds: float) -> Speeds:
    trial = replace(outlook.trial, task=_few(outlook.trial.task))
    spec = build(trial.config.model)
    model: Model = spec if isinstance(spec, Model) else spec.untrained(trial.task, trial.seed)
    rates: dict[str, Rate] = {}
    if not isinstance(spec, Model):
        trainable = cast(Trainable, model)
        trainable.network.to(trial.config.engine.device)
        weights = sum(4 * weight.numel() for weight in trainable.network.parameters())
        rates[speeds.MODEL_BYTES] = Rate(weights, 0.0)
        if trial.kind == "trained":
            rates[speeds.TRAINING] = _training(outlook, trial.task, trainable, spec, TRAINING * seconds)
        trainable.network.eval().requires_grad_(False)
    until = time.perf_counter() + (1 - TRAINING) * seconds
    engine = Engine(model, trial.config.engine.device, trial.config.engine.budget)
    texts = [example.texts for example in trial.task.test]

    def ask(size: int) -> float:
        engine.probabilities(model.encode(texts[:size]))
        return size

    rates[speeds.ASKING] = line(grow(timed(ask), len(texts), ASKING * seconds))
    encodings = model.encode(texts)
    loaded = Loaded(trial, engine, "", abilities(model), engine.probabilities(encodings))
    requests = [
        Request(example, encoding, np.flatnonzero(wanted))
        for example, encoding, wanted in zip(trial.task.test, encodings, loaded.targets(), strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(loaded, requests, Path(folder), until, rates)
        explain_all(bench)
        score_all(bench)
    return Speeds(rates, tuple(sorted(loaded.abilities)))


def _few(task: Task) -> Task:
    """The task with few texts; those to explain spread over all lengths, however many of them are taken."""
    test = sorted(task.test, key=words)
    golden = (5**0.5 - 1) / 2
    places = [int((0.5 + at * golden) % 1 * len(test)) for at in range(2 * TEXTS)]
    chosen = tuple(test[place] for place in list(dict.fromkeys(places))[:TEXTS])
    return replace(task, train=task.train[:TEXTS], dev=task.dev[:TEXTS], test=chosen)


def _training(outlook: Outlook, task: Task, model: Trainable, spec: Any, seconds: float) -> Rate:
    """One epoch on few texts, with as many development texts as belong to them."""
    training = replace(spec.training, epochs=1)
    share = outlook.sizes.dev / outlook.sizes.train

    def epoch(size: int) -> float:
        model.network.requires_grad_(True)
        dev = max(1, round(size * share))
        part = replace(task, train=task.train[:size], dev=task.dev[:dev], test=task.test[:1])
        train(model, part, training, outlook.trial.seed, name=outlook.trial.model_name)
        return size

    # What training needs is imported by its first step.
    epoch(1)
    return line(grow(timed(epoch), len(task.train), seconds, training.batch_size))
