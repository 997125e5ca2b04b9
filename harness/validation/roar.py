"""Remove and retrain (ROAR, Hooker et al., NeurIPS 2019): is a model trained without the words that an
explainer ranks first worse than one trained without random words?

Every explainer of a trial explains the training, development and test texts for the class the trial's model
predicts; a share of each text's words, the highest scores first, is taken out of all of them; a new model of
the same settings and seed is trained on what is left. The further its accuracy falls below that of the random
explainer, the more of what can be learnt the explainer had found. In recursive ROAR each retrained model
explains what is left before more words go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from assay.explainers.controls.controls import Random
from assay.explainers.protocol import fitted, incompatibility
from assay.harness.config.build import build
from assay.harness.config.choice import Method
from assay.harness.config.engines import engine_of
from assay.harness.config.keys import key, versions
from assay.harness.reporting.collect import RANDOM
from assay.harness.storage.layout import StoredModel
from assay.harness.storage.ledger import Failure, failure, record_failure
from assay.harness.storage.store import Store, read_json, required_json, write_json
from assay.harness.trials.cells import Loaded
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.made_with import MadeWith, named_weights
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import failure_key
from assay.harness.trials.trial import load_model
from assay.harness.validation.roar_texts import Split, degrade_task, explain_task, written_mask
from assay.metrics.word_removal import DELETE
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.models.training import fit
from assay.tasks.errors import InputError
from assay.tasks.example import Task

VERSION = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """shares: percent of each text's words that go, rising. recursive: explain anew before each share.
    absent: "delete", or "mask", one word that stands for all of them. Raises InputError on others."""

    shares: tuple[int, ...] = (10, 30, 50, 70, 90)
    recursive: bool = False
    absent: str = "delete"

    def __post_init__(self) -> None:
        if not self.shares or min(self.shares) < 1 or max(self.shares) > 99 or any(np.diff(self.shares) <= 0):
            raise InputError(f"--shares are {self.shares}; expected percentages that rise, from 1 to 99")
        if self.absent not in ("delete", "mask"):
            raise InputError(f"--absent is {self.absent!r}; expected delete or mask")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What remains of a model's quality, and what is not known.

    Attributes:
        rows: one per trial, explainer and share, share 0 being the trial's own model.
        left_out: combinations that make no sense, and why.
        failures: of trials that could not be loaded, and of explainers.
    """

    rows: pd.DataFrame
    left_out: tuple[str, ...]
    failures: tuple[Failure, ...]


def remove_and_retrain(experiment: Experiment, trials: Sequence[Trial], settings: Settings) -> Outcome:
    """Do what is not in the experiment's folder yet; what fails goes to the ledger.

    trials: those of the experiment whose texts could be read.
    """
    store = experiment.store
    folder = store.experiment(experiment.name) / "roar"
    records: list[dict[str, Any]] = []
    left_out: list[str] = []
    names = [failure_key(config) for config in experiment.configs]
    for trial in trials:
        names.append(key("roar trial", trial.model_key))
        with record_failure(store, names[-1], f"roar / {trial.title}"):
            loaded = _load(trial, store)
            for method, reason in _methods(loaded, settings):
                title = f"{trial.title} / {method.explainer_name} {method.baseline_name}".rstrip()
                if reason is not None:
                    left_out.append(f"{title}: {reason}")
                    continue
                names.append(key("roar cell", _key(loaded, method, settings, settings.shares[-1])))
                with record_failure(store, names[-1], f"roar / {title}"):
                    records += _run(loaded, method, settings, store, folder, title)
    failures = [entry for name in names if (entry := failure(store, name)) is not None]
    return Outcome(pd.DataFrame(records), tuple(left_out), tuple(failures))


def _load(trial: Trial, store: Store) -> Loaded:
    if isinstance(build(trial.config.model), Model) or trial.config.model.get("init_only"):
        raise InputError(
            f"roar trains a model anew, but {trial.model_name!r} is not trained here; choose another, such "
            "as model=cnn"
        )
    if not trial.task.train or not trial.task.labelled:
        lacking = "labels to compare with" if trial.task.train else "training texts"
        raise InputError(f"roar trains a model anew, but task {trial.task.name!r} has no {lacking}")
    return load_model(trial, store)


def _methods(loaded: Loaded, settings: Settings) -> Iterator[tuple[Method, str | None]]:
    """The trial's methods, the random explainer always among them, and why one makes no sense, or None."""
    methods = list(loaded.trial.choice.methods)
    if all(method.explainer_name != RANDOM for method in methods):
        methods.append(Method(RANDOM, "", Random(), None, (RANDOM, versions(Random()))))
    # Where words have gone, the characters of a rationale lie elsewhere.
    rationales = not settings.recursive and any(e.has_rationale for e in loaded.trial.task.test)
    for method in methods:
        yield (
            method,
            incompatibility(
                method.explainer, method.baseline, capabilities=loaded.capabilities, rationales=rationales
            ),
        )


def _key(loaded: Loaded, method: Method, settings: Settings, share: int) -> str:
    """The name of one result: everything that can change it."""
    trial = loaded.trial
    steps = settings.shares[: settings.shares.index(share) + 1] if settings.recursive else [share]
    seed, shard = trial.config.explainer_seeds[0], trial.config.shard
    how = [settings.absent, settings.recursive, list(steps), seed, shard]
    return key("roar", VERSION, trial.key(loaded.weights), method.identity, how)


def _run(
    loaded: Loaded, method: Method, settings: Settings, store: Store, folder: Path, title: str
) -> list[dict[str, Any]]:
    """The results of one method, those on disk and those computed now."""
    trial, engine, task = loaded.trial, loaded.engine, loaded.trial.task
    paths = {share: folder / f"{_key(loaded, method, settings, share)}.json" for share in settings.shares}
    missing = [share for share, path in paths.items() if read_json(path) is None]
    if missing and settings.recursive:
        # Every step needs the model of the one before.
        missing = list(settings.shares)
    elif missing:
        # Results of one method rest on one training.
        made_with = loaded.made_with(method)
        known = {share: read_json(path) for share, path in paths.items()}
        missing = [share for share, of in known.items() if of is None or of.get("made_with", {}) != made_with]
    fill = written_mask(engine.model) if settings.absent == "mask" else DELETE
    explained: dict[str, Split] = {}
    trained: dict[str, MadeWith] = {}
    sizes: dict[str, list[int]] = {}
    for share in tqdm(missing, desc=f"roar {title}", unit="model", disable=None):
        if not explained or settings.recursive:
            step = share if settings.recursive else 0
            draws = trial.request_seed(int(trial.config.explainer_seeds[0]), "roar", step)
            made = _made(method, loaded, engine, task)
            explained = explain_task(made, engine, task, draws, int(trial.config.shard))
            made_with = named_weights(made.explainer, made.baseline)
            trained = {"made_with": made_with} if made_with else {}
        sizes = sizes or {name: split.sizes(fill) for name, split in explained.items()}
        left = degrade_task(task, explained, sizes, share, fill, trial.seed)
        model, report = fit(build(trial.config.model), left, trial.seed, engine.device)
        quality = {"accuracy": report.test.accuracy, "macro_f1": report.test.macro_f1}
        write_json(paths[share], {"share": share, **quality, **trained})
        if settings.recursive:
            task, engine = left, engine_of(model, trial.config.engine)
    own = required_json(StoredModel(store.model(trial.model_key)).training)["test"]
    records = [{"share": 0, "accuracy": own["accuracy"], "macro_f1": own["macro_f1"]}]
    records += [required_json(path) for path in paths.values()]
    names = {
        "task": trial.task_name,
        "model": trial.model_name,
        "seed": trial.seed,
        "explainer": method.explainer_name,
        "baseline": method.baseline_name,
        "recursive": settings.recursive,
        "absent": settings.absent,
    }
    return [{**names, **record, **_told(record)} for record in records]


def _told(record: dict[str, Any]) -> dict[str, str]:
    """What was trained for a result, as a cell of a table."""
    made = record.get("made_with", {})
    return {"made_with": "; ".join(f"{what} {weights}" for what, weights in made.items())} if made else {}


def _made(method: Method, loaded: Loaded, engine: Engine, task: Task) -> Method:
    """The method with what it makes of training texts: of the trial's model that is trained once and kept in
    the store, a model that was retrained for this method has its own."""
    explainer, baseline = method.explainer, method.baseline
    if engine is loaded.engine:
        explainer = loaded.fitted_explainer(explainer)
        return replace(method, explainer=explainer, baseline=baseline and loaded.fitted(baseline))
    explainer = fitted(explainer, engine, task.train)
    return replace(method, explainer=explainer, baseline=baseline and baseline.fitted(engine, task.train))
