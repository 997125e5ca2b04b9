"""The masked language models of a trial: trained once and kept in the store, as its model is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from assay.explainers.baselines import Baseline
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.harness.config.choice import Choice
from assay.harness.config.keys import key
from assay.harness.storage.layout import StoredModel, unfinished_training
from assay.harness.storage.locks import run_once
from assay.harness.storage.store import Store, read_json, set_aside, whole_or_full, write_json
from assay.harness.trials.trained_once import read_or_retrain
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.saving import load, save, weights_hash
from assay.models.trained_mlm import WordMLM
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# What records of cells say of a masked language model.
ABOUT = ("weights", "model", "unigram", "trigram", "beats_trigram", "stopped")

log = logging.getLogger(__name__)

# Masked language models that were trained in memory, with their training reports, by what they depend on.
TrainedMLMs = dict[str, tuple[WordMLM, dict[str, Any]]]


def to_train(choice: Choice) -> list[MaskedLanguageModel]:
    """The chosen baselines and removal operators whose masked language model is trained on a task's texts."""
    chosen = [method.baseline for method in choice.methods]
    chosen += [metric.removal for metric in choice.metrics if "removal" in metric.metric.needs]
    found = [one for one in chosen if isinstance(one, MaskedLanguageModel) and one.path is None]
    return list(dict.fromkeys(found))


def with_masked_lm(
    baseline: MaskedLanguageModel,
    engine: Engine,
    train: Sequence[Example],
    dev: Sequence[Example],
    store: Store | TrainedMLMs,
) -> Baseline:
    """The baseline with its masked language model: a checkpoint, or one trained on these texts.

    store: a store, or those that were trained in memory on these texts, to which this one is added. Raises
    InputError without texts, or where a checkpoint does not fit the engine's model.
    """
    if baseline.path is not None:
        return baseline.fitted(engine, train)
    mlm, record = trained_mlm(baseline, engine, train, dev, store)
    about = {name: record[name] for name in ABOUT if name in record}
    return replace(baseline.using(engine.model, mlm), about=about)


def trained_mlm(
    baseline: MaskedLanguageModel,
    engine: Engine,
    train: Sequence[Example],
    dev: Sequence[Example],
    store: Store | TrainedMLMs,
) -> tuple[WordMLM, dict[str, Any]]:
    """The masked language model of training texts, trained now or from the store, and its training report."""
    texts, held_out = baseline.split(train, dev)
    if not isinstance(store, Store):
        known = baseline.trained, [example.id for example in held_out]
        if (name := repr(known)) not in store:
            mlm, report = baseline.train(engine, texts, held_out)
            store[name] = mlm, report.record()
        return store[name]
    encoded = [engine.model.encode([example.texts for example in part]) for part in (texts, held_out)]
    name = _key(baseline, engine, encoded)
    folder = store.model(name)
    path = StoredModel(folder).training

    def trained() -> bool:
        return read_json(path) is not None

    def train_now() -> None:
        resume = unfinished_training(folder)
        resume.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_full(resume):
            mlm, report = baseline.train(engine, texts, held_out, resume)
        if folder.is_file():
            set_aside(folder)
        with whole_or_full(folder):
            save(cast(Any, mlm), folder)
        about = {"masked_language_model": True, "weights": weights_hash(cast(Any, mlm))}
        write_json(path, {**report.record(), **about})
        resume.unlink(missing_ok=True)
        for warning in warnings(report.record()):
            log.warning("%s", warning)

    def ready() -> tuple[WordMLM, dict[str, Any]]:
        run_once(store, f"model-{name}", "training of a masked language model", trained, train_now)
        mlm, record = load(folder, engine.device), read_json(path) or {}
        if record.get("weights") != weights_hash(mlm):
            raise InputError(f"{folder} has other weights than its records tell; train again")
        return mlm, record

    return read_or_retrain(folder, ready)


def generator(baseline: Baseline) -> tuple[Any, ...]:
    """What puts in something for absent tokens: the baseline, and the checkpoint of its masked language model
    if it has one. Models that are trained on the task's own texts count as one, however they are trained, and
    however replacements are chosen."""
    if not isinstance(baseline, MaskedLanguageModel) or baseline.path is None:
        return (baseline.name,)
    folder = Path(baseline.path)
    path = str(folder.resolve()) if folder.is_dir() else baseline.path
    return baseline.name, path, baseline.revision


def is_masked_lm(record: dict[str, Any] | None) -> bool:
    """Whether a training report is of a masked language model; it may serve any classifier of its texts."""
    return bool(record and record.get("masked_language_model"))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} CPU minutes" if seconds >= 60 else f"{seconds:.1f} CPU seconds"


def warnings(record: dict[str, Any]) -> list[str]:
    """What a training report says against the model."""
    found = []
    if record["stopped"] == "time":
        found.append(
            f"training of the masked language model ended after {_duration(record['cpu_seconds'])} "
            f"at perplexity {record['model']['perplexity']:.1f}, before that stalled; more of "
            "baseline.mlm.trained.minutes may better it, and a faster machine gets further"
        )
    if not record["beats_trigram"]:
        found.append(
            f"the masked language model names {record['model']['top_1']:.1%} of masked words, counts of "
            f"neighbours {record['trigram']['top_1']:.1%}; results with it are not a test of what Input "
            "Marginalization claims"
        )
    return found


def _key(baseline: MaskedLanguageModel, engine: Engine, encoded: Sequence[Sequence[Encoding]]) -> str:
    """By everything that it is made from: classifiers that read texts alike share one."""
    model, digest = engine.model, hashlib.sha256()
    for part in encoded:
        digest.update(b"part")
        for text in part:
            digest.update(text.ids.tobytes() + text.content.tobytes())
    special = [model.pad_id, model.mask_id, getattr(model, "unk_id", None)]
    spec = baseline.trained
    return key("masked language model", asdict(spec), spec.version, special, digest.hexdigest())
