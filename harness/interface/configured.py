"""The classifier that a command line describes: from the store, or trained now and kept there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from assay.harness.config.compose import GROUPS, sweep
from assay.harness.config.engines import engine_of
from assay.harness.config.keys import key, nested, plain
from assay.harness.interface.classifiers import Classifier
from assay.harness.state.manifest import digest_of, read_inputs, store_folder
from assay.harness.storage.layout import StoredModel
from assay.harness.storage.store import ReadOnly, Store, StoreFull, read_json, write_json
from assay.harness.trials.plan import Trial
from assay.harness.trials.ready_models import ready_model
from assay.harness.trials.titles import title
from assay.harness.trials.trial import recorded_weights, trained_model
from assay.models.protocol import Model
from assay.models.saving import load, weights_hash
from assay.tasks.errors import InputError
from assay.tasks.example import Task

# What of a configuration is needed to explain; the rest is about experiments.
KEPT = ("explainer", "baseline", "targets", "explainer_seeds", "controls")


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """A classifier, and how a command line wants it to explain.

    Attributes:
        classifier: ready to be asked. It has no task: see `task`.
        settings: of KEPT, plain.
        task_name: of the task that the model was trained on.
        store: where the model is.
        model_key: the name of the model there.
        task: the texts; None where neither the model nor a baseline needs them, and nobody asked for them.
    """

    classifier: Classifier
    settings: dict[str, Any]
    task_name: str
    store: Store
    model_key: str
    task: Task | None = None


def configured(
    overrides: Sequence[str], *, with_texts: bool = False, experiment: str | None = None
) -> Configured:
    """The one classifier that overrides describe.

    A model that was found once is found again without its texts, unless code, configuration or a file that
    the overrides name has changed.

    Args:
        overrides: of one trial: one task, one model, one seed; `store` says where models are kept.
        with_texts: whether the task's texts are wanted in any case.
        experiment: the name that overrides stand for, if they are those of an experiment.

    Raises:
        InputError: the overrides describe several classifiers, or none.
    """
    recalled = None if with_texts else _recalled(overrides)
    return recalled or _loaded(overrides, with_texts, experiment)


def _loaded(overrides: Sequence[str], with_texts: bool, experiment: str | None) -> Configured:
    # Slow to import, and of no use where the model is found again.
    from assay.harness.trials.experiment import checked_configurations
    from assay.harness.trials.loading import load_trial

    configs = checked_configurations(sweep(overrides), overrides)
    if len(configs) > 1:
        raise InputError(_several(list(map(title, configs)), experiment))
    config = configs[0]
    store, trial = Store(config.store), load_trial(config)
    ready = ready_model(config, trial.task)
    model, weights = ready or trained_model(trial, store)
    settings = {name: plain(config[name]) for name in KEPT}
    needs_texts = any(
        method.explainer.traits.from_texts or (method.baseline is not None and method.baseline.from_texts)
        for method in trial.choice.methods
    )
    record = {
        "task": trial.task.name,
        "pairs": trial.task.pairs,
        "model_key": trial.model_key,
        "model": plain(config.model),
        "engine": plain(config.engine),
        "seed": int(config.seed),
        "data": list(trial.data),
        "settings": settings,
    }
    if ready is None and not needs_texts:
        _keep(overrides, store, trial.config, record)
    texts = trial if needs_texts or with_texts else None
    return _configured(record, store, model, weights, texts, trained=ready is None)


def _several(titles: Sequence[str], experiment: str | None) -> str:
    """The sentence about several classifiers where one is expected."""
    names = ", ".join(titles[:3]) + (" ..." if len(titles) > 3 else "")
    if experiment is None:
        said = f"these overrides describe {len(titles)} classifiers ({names}); expected one: choose"
    else:
        said = (
            f"the experiment {experiment!r} has {len(titles)} classifiers ({names}); choose one of them "
            "beside its name, with"
        )
    return f"{said} one task=, one model= and one seed="


def _configured(
    record: dict[str, Any], store: Store, model: Model, weights: str, trial: Trial | None, *, trained: bool
) -> Configured:
    engine = engine_of(model, record["engine"])
    classifier = Classifier(
        str(record["model"]["name"]),
        engine,
        record["model"],
        record["seed"],
        weights,
        data=tuple(record["data"]),
        pairs=record["pairs"],
    )
    if trained:  # only a model that a user brings may mix up its answers
        classifier.sound.known = True
    task = None if trial is None else trial.task
    return Configured(classifier, record["settings"], record["task"], store, record["model_key"], task)


def _recalled(overrides: Sequence[str]) -> Configured | None:
    """By the record of an earlier call; None where there is none that still holds."""
    digest, root = digest_of(overrides), store_folder(overrides)
    if digest is None or root is None or not root.is_dir():
        return None
    store = Store(root)
    kept = read_json(store.texts(key("classifier", digest)))
    if kept is None or read_inputs(kept["names"], [], store) != kept["inputs"]:
        return None
    folder = store.model(kept["record"]["model_key"])
    if read_json(StoredModel(folder).training) is None:
        return None
    try:
        model = load(folder, kept["record"]["engine"]["device"])
    except InputError:
        return None  # a damaged model is set aside and trained anew where its texts are at hand
    weights = weights_hash(model)
    if recorded_weights(StoredModel(folder)) not in (None, weights):
        return None
    return _configured(kept["record"], store, model, weights, None, trained=True)


def _keep(overrides: Sequence[str], store: Store, config: DictConfig, record: dict[str, Any]) -> None:
    digest = digest_of(overrides)
    # Every text might name a file.
    settings = nested([plain(config[group]) for group in GROUPS])
    names = sorted({value for value in settings if isinstance(value, str)})
    inputs = read_inputs(names, [], store)
    if digest is None or inputs is None or store_folder(overrides) != store.root:
        return
    with suppress(StoreFull, ReadOnly):
        write_json(
            store.texts(key("classifier", digest)), {"names": names, "inputs": inputs, "record": record}
        )
