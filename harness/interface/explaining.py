"""Explain texts with a classifier at hand, in memory or with a store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from assay.explainers.explanation import Explanation
from assay.harness.config.choice import Built, Choice, check_storable, cross
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import (
    Classifier,
    check_answers,
    check_classifier,
    check_weights,
    default_baseline,
)
from assay.harness.interface.explanations import Explanations, MethodExplanations
from assay.harness.interface.settings import chosen
from assay.harness.interface.tasks import as_examples, is_one, items_of
from assay.harness.interface.trials import run_config, trial_of
from assay.harness.interface.unknown_words import unknown_line, unknown_words
from assay.harness.storage.entries import ledger_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.cells import Loaded, explain_shard
from assay.harness.trials.job import run_cells
from assay.harness.trials.plan import Cell, Trial, cells
from assay.harness.trials.records import read_explanations
from assay.harness.trials.trial import on_texts
from assay.models.precision import checked_precision
from assay.models.protocol import capabilities
from assay.tasks.errors import InputError, shown
from assay.tasks.example import Example, Task

log = logging.getLogger(__name__)

# Work that takes longer than this shows a bar.
SECONDS_WITHOUT_BAR = 2.0


@checked
def explain(
    classifier: Classifier,
    texts: object,
    explainers: object = "shapley_gp",
    *,
    baseline: object = None,
    targets: Literal["predicted", "gold", "all"] = "all",
    seed: int = 0,
    task: Task | None = None,
    store: str | Path | None = None,
) -> Any:
    """Explain texts by one or several explainers.

    Without a store nothing is written. With one, results have the keys of `assay run`, so that either finds
    the other's work, if the texts are examples of a task. Threads may share a classifier. Words of texts that
    are no examples, and that the model does not know, are logged as a warning.

    Args:
        classifier: from `fit` or `wrap`.
        texts: a text, a pair of texts, or a list of texts, pairs or examples.
        explainers: a name of conf/explainer/, an explainer such as Lime(rows=200), a list of those, or a
            mapping from names of your own to those.
        baseline: what "absent" means, by name or as an object; several are crossed with the explainers. By
            default "mask", or "delete" for a model without a mask token.
        targets: which classes are explained: "all", the "predicted" or the "gold" ones.
        seed: of explainers that draw.
        task: the texts that baselines such as "mean" are made from; by default those of training.
        store: a folder, or None.

    Returns:
        `Explanations`, by method; of one text and one explainer its `TextExplanation`.

    Raises:
        InputError: an unknown name, a choice that makes no sense on this model, or a model brought by a user
            whose answers to these texts depend on the other texts of a batch.

    Example:
        >>> explain(classifier, "a wonderful film", "occlusion")  # doctest: +SKIP
        occlusion (mask) for 'positive' (p = 0.98): wonderful +4.81, film -0.0213, a +0.0119
    """
    check_classifier(classifier, refresh=False)
    # A generator can be read once.
    given = texts if is_one(texts) else items_of(texts)
    found = explain_quietly(
        classifier, given, explainers, baseline=baseline, targets=targets, seed=seed, task=task, store=store
    )
    # Of texts of a task it is known what they are; others may be of another language.
    typed = [(one,) if isinstance(one, str) else one for one in items_of(given)]
    words = (unknown_words(classifier.model, tuple(one)) for one in typed if isinstance(one, (tuple, list)))
    if line := unknown_line(list(dict.fromkeys(chain.from_iterable(words)))):
        log.warning("%s", line)
    return found


def explain_quietly(
    classifier: Classifier,
    texts: object,
    explainers: object = "shapley_gp",
    *,
    baseline: object = None,
    targets: Literal["predicted", "gold", "all"] = "all",
    seed: int = 0,
    task: Task | None = None,
    store: str | Path | None = None,
) -> Any:
    """As `explain`, without a warning about words that the model does not know."""
    check_classifier(classifier)
    items = items_of(texts)
    trained_on = classifier.task
    examples = as_examples(items, pairs=classifier.pairs)
    methods = chosen("explainer", explainers)
    baselines = chosen("baseline", default_baseline(classifier.model) if baseline is None else baseline)
    _check_labels(classifier, task, examples)
    _check_labelled(classifier, items, targets)
    source = task or trained_on
    to_explain = _texts(classifier, examples, source)
    config = run_config(
        classifier.settings,
        classifier.seed,
        {"device": classifier.engine.device, **checked_precision(classifier.engine.precision).settings()},
        store,
        task={"name": to_explain.name},
        targets=targets,
        explainer_seeds=[seed],
        explainer={name: built.settings for name, built in methods.items()},
        baseline={name: built.settings for name, built in baselines.items()},
    )
    choice = Choice(cross(methods, baselines), ())
    trial = trial_of(config, to_explain, choice, trained_on, classifier.data)
    check_answers(classifier, examples)
    kept = None if store is None else _store(store, classifier, methods)
    loaded = _loaded(classifier, trial, kept)
    planned = {
        # With its baseline where several are crossed.
        cell.title if len(baselines) > 1 else cell.method.explainer_name: cell
        for cell in cells(trial, loaded.weights, loaded.capabilities)
    }
    if source is None:
        _check_baselines(planned.values())
    left_out = {
        name: cell.incompatibility for name, cell in planned.items() if cell.incompatibility is not None
    }
    possible = {name: cell for name, cell in planned.items() if cell.incompatibility is None}
    if not possible:
        name, reason = next(iter(left_out.items()))
        raise InputError(f"explainer {name!r} cannot explain this model: {reason}")
    by_name = {
        name: MethodExplanations(
            possible[name].title,
            records,
            examples,
            classifier.labels,
            loaded.probabilities,
            possible[name].method.explainer.traits.signed,
        )
        for name, records in _explained(loaded, possible, kept).items()
    }
    if is_one(texts) and len(by_name) == 1 and not isinstance(explainers, (Mapping, list, tuple)):
        return next(iter(by_name.values()))[0]
    return Explanations(loaded, possible, by_name, left_out, kept)


def _check_labels(classifier: Classifier, task: Task | None, examples: Sequence[Example]) -> None:
    """Raise InputError on a task whose classes are others, or in another order, than those of the model.

    Labels are numbers of classes. Without a task nothing tells whose, so a warning says how they are read.
    """
    if task is None and classifier.task is None and any(example.labels for example in examples):
        log.warning(
            "the labels of the texts are read as numbers of the model's classes (%s); pass task= to have "
            "that checked",
            ", ".join(classifier.labels),
        )
    if task is not None and not isinstance(task, Task):
        raise InputError(f"task is {shown(task)}; expected what assay.task or assay.texts returns")
    if task is not None and task.labels != classifier.labels:
        raise InputError(
            f"the model has the labels {', '.join(classifier.labels)}, but the task {task.name!r} has "
            f"{', '.join(task.labels)}; expected the same in the same order, as texts(labels=...) sets it"
        )


def _check_labelled(classifier: Classifier, items: Sequence[object], targets: str) -> None:
    """Raise InputError on texts without labels where labels are explained."""
    # An example of a multi-label task may have none of the labels, a plain text has no known labels.
    several = classifier.model.multi_label
    if all(isinstance(item, Example) and (item.labels or several) for item in items):
        return
    if targets == "gold":
        raise InputError(
            "targets='gold' explains the labels of texts; give labelled examples, or other targets"
        )


def _store(folder: str | Path, classifier: Classifier, methods: Mapping[str, Built]) -> Store:
    for name, method in methods.items():
        check_storable(name, method.built)
    if not classifier.weights:
        raise InputError(
            "results of a function can only be stored under its name; give wrap(..., fingerprint=...), any "
            "text that changes when the function does"
        )
    check_weights(classifier)
    return Store(folder)


def _texts(classifier: Classifier, examples: tuple[Example, ...], task: Task | None) -> Task:
    """The texts to explain as a task, with the training texts that baselines are made from."""
    labels, multi_label = classifier.labels, classifier.model.multi_label
    if task is None:
        return Task("texts", labels, (), (), examples, multi_label=multi_label, partial=True)
    return replace(task, labels=labels, test=examples, multi_label=multi_label, partial=True)


def _loaded(classifier: Classifier, trial: Trial, store: Store | None) -> Loaded:
    engine = classifier.engine
    if store is not None:
        return on_texts(trial, engine, classifier.weights, store)
    encodings = engine.model.encode([example.texts for example in trial.task.test])
    probabilities = engine.probabilities(encodings)
    return Loaded(
        trial, engine, classifier.weights or "unknown", capabilities(classifier.model), probabilities
    )


def _check_baselines(planned: Iterable[Cell]) -> None:
    """Raise InputError on a baseline that is made from training texts; there are none without a task."""
    for cell in planned:
        if cell.method.baseline is not None and cell.method.baseline.from_texts:
            raise InputError(
                f"baseline {cell.method.baseline_name!r} is made from training texts, and this model has "
                "none; call explain with task=<the task whose training texts it should use>"
            )


def _explained(
    loaded: Loaded, possible: dict[str, Cell], store: Store | None
) -> dict[str, list[list[Explanation]]]:
    """For every method, and every text in order, one explanation per class."""
    if store is not None:
        run_cells(loaded, store)
        return {name: _stored_records(loaded, cell, store) for name, cell in possible.items()}
    records: dict[str, list[list[Explanation]]] = {}
    total = len(possible) * len(loaded.trial.task.test)
    with tqdm(total=total, desc="explaining", unit="text", delay=SECONDS_WITHOUT_BAR, disable=None) as bar:
        for name, cell in possible.items():
            records[name] = []
            for part in loaded.parts():
                records[name] += explain_shard(cell.method, loaded, part, cell.explainer_seed)
                bar.update(part.stop - part.start)
    return records


def _stored_records(loaded: Loaded, cell: Cell, store: Store) -> list[list[Explanation]]:
    """The explanations of a cell that is done, in the order of the texts.

    Raises InputError with the reason where it failed.
    """
    stored = StoredCell(store.cell(cell.key))
    if not stored.done:
        failures = list(ledger_of(store, [cell.key]).values())
        reason = failures[0].sentence if failures else "another job is at work on it"
        raise InputError(f"{cell.title} was not explained: {reason}")
    by_text: dict[str, list[Explanation]] = {example.id: [] for example in loaded.trial.task.test}
    for number in range(len(loaded.parts())):
        for record in read_explanations(stored.part(number)):
            by_text[record.example_id].append(record)
    return list(by_text.values())
