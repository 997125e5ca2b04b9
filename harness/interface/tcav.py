"""`assay.tcav`: a reader's concepts tested on a classifier, without training it anew."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.explainers.concepts.layer_vectors import CHUNK
from assay.explainers.concepts.pools import concept_pools
from assay.explainers.concepts.probes import FOLDS, probe
from assay.explainers.concepts.tcav import (
    TcavScore,
    concept_vectors,
    derivatives,
    pool_vectors,
    tcav_scores,
)
from assay.explainers.concepts.vectors import Method
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.concepts import ALPHA, Tcav, class_of, decided
from assay.harness.interface.tasks import as_examples, items_of
from assay.models.neurons import hidden_layer
from assay.results.statistics.estimates import holm
from assay.tasks.arrays import Bools, Ints
from assay.tasks.concept_labels import label_concepts
from assay.tasks.concepts import read_concepts
from assay.tasks.corrections import read_corrections, with_corrections
from assay.tasks.errors import InputError, check_at_least
from assay.tasks.example import Task
from assay.tasks.randomness import generator

# Of fewer texts with a label its scores are warned of.
FEW = 5

log = logging.getLogger(__name__)


@checked
def tcav(
    classifier: Classifier,
    texts: object,
    concepts: str | Path | Mapping[str, Any],
    layers: str | Sequence[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    corrections: str | Path | None = None,
    task: Task | None = None,
    method: Method = "difference",
    draws: int = 999,
    examples: int = 200,
    fewest: int = 10,
    shuffles: int = 199,
    seed: int = 0,
) -> Tcav:
    """Which of a reader's concepts a classifier depends on: TCAV, with a test against random concepts.

    The classifier is not trained anew. Kept in memory are one vector per layer for each of the texts behind
    the CAVs, float32; activations and derivatives of all others are dropped batch by batch.

    Args:
        classifier: from `fit` or `wrap`, with hidden layers.
        texts: a text, or a list of texts or examples; derivatives of a label go over those that get it.
        concepts: a YAML file, or a mapping as it holds it (`assay.tasks.concepts`).
        layers: one or several hidden layers, such as "pooled" or "layer_3"; None for the highest.
        labels: those that are asked about; None for all that the model gives to any of the texts.
        corrections: a CSV file of what readers said of concepts in single texts
            (`assay.tasks.corrections.read_corrections`).
        task: whose training texts (without any, test texts) have and have not the concepts; by default those
            that the classifier was trained on.
        method: how CAVs are found: "difference" of means (FastCAV), or the weights of a linear "classifier".
        draws: random sets of texts that each concept is compared with.
        examples: at most so many texts with a concept, and five times as many without.
        fewest: with fewer, a concept is refused.
        shuffles: of the labels, for the probes.
        seed: of all draws.

    Returns:
        `Tcav`.

    Raises:
        InputError: a model without hidden layers, concepts or corrections that cannot be read, a concept of
            too few texts, a label that none of the texts gets, or too few draws for the number of tests.

    Example:
        >>> tcav(model, task.test, {"ladder": {"words": ["ladder"], "added_by": "me"}}).table()  # doctest:
        +SKIP
    """
    check_classifier(classifier)
    for option, value, least in (
        ("draws", draws, 19),
        ("examples", examples, FOLDS),
        ("fewest", fewest, FOLDS),
    ):
        check_at_least(f"tcav: {option}", value, least)
    check_at_least("tcav: shuffles", shuffles, 19)
    read = read_concepts(concepts)
    wanted = [layers] if layers is None or isinstance(layers, str) else list(dict.fromkeys(layers))
    named = [hidden_layer(classifier.model, layer) for layer in wanted]
    source = task or classifier.task
    if source is None:
        raise InputError(
            "concepts are found in the texts of a task, and this model has none; call tcav with task=<a task>"
        )
    asked = as_examples(items_of(texts), pairs=classifier.pairs)
    check_answers(classifier, asked)
    given = np.concatenate(
        [decided(classifier, asked[start : start + CHUNK]) for start in range(0, len(asked), CHUNK)]
    )
    targets = _targets(classifier, given, labels)
    tests = len(read) * len(named) * len(targets)
    if tests > ALPHA * (1 + draws):
        raise InputError(
            f"tcav: with {draws} draws no p can be below {ALPHA} once corrected for {tests} tests; expected "
            f"at least {int(np.ceil(tests / ALPHA)) - 1} draws, or fewer concepts, layers or labels"
        )
    told = {} if corrections is None else read_corrections(corrections, read, source)
    source = with_corrections(source, told)
    pool_texts = source.train or source.test
    labelled = label_concepts(read, pool_texts, source.auxiliary, told)
    pools = concept_pools(labelled, pool_texts, examples, fewest, seed)
    engine = classifier.engine
    vectors = pool_vectors(engine, pools, pool_texts, named)
    found, scores, probes = {}, list[TcavScore](), {}
    for layer in named:
        found[layer] = concept_vectors(pools, vectors, layer, method)
        units = np.stack([one.unit for one in found[layer]])
        slopes = derivatives(engine, asked, layer, targets, given[:, targets], units)
        scores += tcav_scores(
            pools, vectors, found[layer], slopes, targets, method=method, draws=draws, seed=seed
        )
        for pool in pools:
            rng = generator(seed, "probe", layer)
            probes[pool.concept.name, layer] = probe(vectors.of(pool, layer), pool.has, shuffles, rng)
    for target, count in {score.target: score.texts for score in scores if score.texts < FEW}.items():
        log.warning(
            "tcav: only %s label %r, so its sign counts and effects say little of other texts",
            "1 text gets" if count == 1 else f"{count} texts get", classifier.labels[target],
        )  # fmt: skip
    corrected = holm([score.p for score in scores])
    return Tcav(classifier, asked, tuple(scores), corrected, found, probes, told, seed)


def _targets(classifier: Classifier, given: Bools, labels: Sequence[str] | None) -> Ints:
    """The classes that are asked about, each with texts."""
    if labels is None:
        targets = np.flatnonzero(given.any(axis=0))
        if not len(targets):
            raise InputError("the model gives no label to any of the texts; give texts that have one")
        return targets
    if not labels:
        raise InputError("labels is empty; expected at least one, or None for all that the model gives")
    targets = np.array([class_of(classifier, label) for label in dict.fromkeys(labels)], dtype=np.intp)
    for target in targets.tolist():
        if not given[:, target].any():
            raise InputError(
                f"the model gives {classifier.labels[target]!r} to none of the texts; give texts that have "
                "it, or leave the label out"
            )
    return targets
