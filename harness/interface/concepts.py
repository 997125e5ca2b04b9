"""Concepts in a reader's own terms: which of them a class depends on, and one decision explained by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.explainers.concepts.completeness import Completeness, completeness
from assay.explainers.concepts.decision import Evidence, explain_decision
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.layer_vectors import CHUNK, layer_vectors
from assay.explainers.concepts.pools import concept_pools
from assay.explainers.concepts.probes import FOLDS, Probe, probe
from assay.explainers.concepts.tcav import (
    ConceptVector,
    TcavScore,
    concept_vectors,
    derivatives,
    pool_vectors,
    tcav_scores,
)
from assay.explainers.concepts.vectors import Method
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.settings import chosen
from assay.harness.interface.tasks import as_examples, items_of
from assay.metrics.cell_data import gold, predicted
from assay.models.neurons import hidden_layer
from assay.results.statistics.estimates import holm
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.concept_labels import Corrections, label_concepts, read_corrections
from assay.tasks.concepts import read_concepts
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, check_choice, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.randomness import generator

if TYPE_CHECKING:
    import pandas as pd

# A p of at most this tells a concept from random sets of texts, and a probe from one of shuffled labels.
ALPHA = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Tcav:
    """What a classifier makes of concepts; made by `tcav`.

    Attributes:
        classifier: the explained classifier.
        examples: the texts over which derivatives were taken.
        scores: of every concept, layer and label.
        p: of each of them, Holm's correction over all.
        vectors: the CAVs by layer.
        probes: by concept and layer.
        corrections: what readers said.
        seed: of all draws.
    """

    classifier: Classifier
    examples: tuple[Example, ...]
    scores: tuple[TcavScore, ...]
    p: Floats
    vectors: Mapping[str, Sequence[ConceptVector]]
    probes: Mapping[tuple[str, str], Probe]
    corrections: Corrections
    seed: int

    def table(self) -> pd.DataFrame:
        """One row per concept, layer and label.

        Returns:
            concept, added_by, layer, label; texts: over how many the derivatives go; with_concept,
            without_concept: texts behind the CAV; sign_count, magnitude, effect, p: as in
            assay.explainers.concepts.tcav; p_holm: corrected for all rows; probe, probe_shuffled, probe_p:
            balanced accuracy of a linear classifier of the concept on texts that it was not fitted on, with
            true and with shuffled labels, and its p.
        """
        import pandas as pd

        rows = []
        for score, corrected in zip(self.scores, self.p.tolist(), strict=True):
            vector = self._vector(score)
            known = self.probes[score.concept, score.layer]
            rows.append(
                {
                    "concept": score.concept,
                    "added_by": vector.concept.added_by,
                    "layer": score.layer,
                    "label": self.classifier.labels[score.target],
                    "texts": score.texts,
                    "with_concept": vector.positives,
                    "without_concept": vector.negatives,
                    "sign_count": score.sign_count,
                    "magnitude": score.magnitude,
                    "effect": score.effect,
                    "p": score.p,
                    "p_holm": corrected,
                    "probe": known.accuracy,
                    "probe_shuffled": known.shuffled,
                    "probe_p": known.p,
                }
            )
        return pd.DataFrame(rows)

    def explain(
        self, texts: object, label: str | None = None, layer: str | None = None
    ) -> list[ConceptExplanation]:
        """Decisions explained by the concepts (assay.explainers.concepts.decision).

        Args:
            texts: a text, or a list of texts or examples.
            label: the label that is explained, one of those in `table`; None for the most probable of them.
            layer: one of those in `table`; None for the highest.

        Raises:
            InputError: a label or a layer that is not in the table.
        """
        examples = as_examples(items_of(texts), pairs=self.classifier.pairs)
        of_layer = self._layer(layer)
        targets = list(dict.fromkeys(score.target for score in self.scores))
        if label is not None:
            names = [self.classifier.labels[target] for target in targets]
            check_choice("label", label, names)
            targets = [targets[names.index(label)]]
        model = self.classifier.model
        name = "zero" if model.mask_id is None else "mask"
        baseline = chosen("baseline", name)[name].built
        explained = []
        for example in examples:
            (encoding,) = model.encode([example.texts])
            likely = self.classifier.engine.probabilities([encoding])[0, targets]
            target = targets[int(likely.argmax())]
            start = baseline.rows(model, encoding, ~encoding.content[None])
            explained.append(
                explain_decision(
                    self.classifier.engine,
                    example,
                    start,
                    self.vectors[of_layer],
                    target,
                    self._evidence(of_layer, target),
                    self.corrections,
                )
            )
        return explained

    def completeness(
        self, layer: str | None = None, *, label: str | None = None, of_gold: bool = False
    ) -> Completeness:
        """How much of the decisions on the texts the concepts tell, and the share of each (ConceptSHAP).

        Args:
            layer: one of those in `table`, whose CAVs give the scores of concepts; None for the highest.
            label: whether texts have this label is what is told; None for which label they have.
            of_gold: tell the gold labels, and compare with the model's accuracy on them; by default its
                decisions are told.

        Raises:
            InputError: several labels per text and no label, texts without gold labels, or too few texts.
        """
        of_layer, model = self._layer(layer), self.classifier.model
        if model.multi_label and label is None:
            raise InputError("texts may have several labels; give completeness the label= that is to be told")
        units = np.stack([vector.unit for vector in self.vectors[of_layer]])
        scores, decided = list[Floats](), list[Bools]()
        for start in range(0, len(self.examples), CHUNK):
            part = self.examples[start : start + CHUNK]
            scores.append(layer_vectors(self.classifier.engine, part, [of_layer])[of_layer] @ units.T)
            decided.append(_decided(self.classifier, part))
        truth = told = np.concatenate(decided)
        if of_gold:
            if not all(example.labels for example in self.examples):
                raise InputError("some of the texts have no gold label; leave of_gold out")
            truth = gold(self.examples, len(self.classifier.labels))
        classes, decisions = (self._classes(table, label) for table in (truth, told))
        rng = generator(self.seed, "completeness", of_layer)
        return completeness(np.concatenate(scores), classes, float((classes == decisions).mean()), rng)

    def __repr__(self) -> str:
        concepts = counted(len({score.concept for score in self.scores}), "concept")
        return f"TCAV of {concepts} at {', '.join(self.vectors)} on {counted(len(self.examples), 'text')}"

    def _classes(self, table: Bools, label: str | None) -> Ints:
        if label is None:
            return table.argmax(axis=1)
        return table[:, _class(self.classifier, label)].astype(np.intp)

    def _vector(self, score: TcavScore) -> ConceptVector:
        return next(one for one in self.vectors[score.layer] if one.concept.name == score.concept)

    def _layer(self, layer: str | None) -> str:
        if layer is not None:
            check_choice("layer", layer, self.vectors)
        return list(self.vectors)[-1] if layer is None else layer

    def _evidence(self, layer: str, target: int) -> dict[str, Evidence]:
        return {
            score.concept: Evidence(p, self.probes[score.concept, layer].p <= ALPHA)
            for score, p in zip(self.scores, self.p.tolist(), strict=True)
            if (score.layer, score.target) == (layer, target)
        }


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
            (`assay.tasks.concept_labels.read_corrections`).
        task: whose training texts (without any, test texts) have and have not the concepts; by default those
            that the classifier was trained on.
        method: how CAVs are found: "difference" of means (FastCAV), or the weights of a linear "classifier".
        draws: random sets of texts that each concept is compared with.
        examples: at most so many texts with, and without, a concept.
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
        [_decided(classifier, asked[start : start + CHUNK]) for start in range(0, len(asked), CHUNK)]
    )
    targets = _targets(classifier, given, labels)
    tests = len(read) * len(named) * len(targets)
    if tests > ALPHA * (1 + draws):
        raise InputError(
            f"tcav: with {draws} draws no p can be below {ALPHA} once corrected for {tests} tests; expected "
            f"at least {int(np.ceil(tests / ALPHA)) - 1} draws, or fewer concepts, layers or labels"
        )
    told = {} if corrections is None else read_corrections(corrections, read, source)
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
        for pool, of_pool in zip(pools, vectors, strict=True):
            rng = generator(seed, "probe", pool.concept.name, layer)
            probes[pool.concept.name, layer] = probe(of_pool[layer], pool.has, shuffles, rng)
    corrected = holm([score.p for score in scores])
    return Tcav(classifier, asked, tuple(scores), corrected, found, probes, told, seed)


def _decided(classifier: Classifier, examples: Sequence[Example]) -> Bools:
    """(N, K) the labels that the model gives."""
    encodings = classifier.model.encode([example.texts for example in examples])
    return predicted(classifier.engine.probabilities(encodings), multi_label=classifier.model.multi_label)


def _targets(classifier: Classifier, given: Bools, labels: Sequence[str] | None) -> Ints:
    """The classes that are asked about, each with texts."""
    if labels is None:
        targets = np.flatnonzero(given.any(axis=0))
        if not len(targets):
            raise InputError("the model gives no label to any of the texts; give texts that have one")
        return targets
    if not labels:
        raise InputError("labels is empty; expected at least one, or None for all that the model gives")
    targets = np.array([_class(classifier, label) for label in dict.fromkeys(labels)], dtype=np.intp)
    for target in targets.tolist():
        if not given[:, target].any():
            raise InputError(
                f"the model gives {classifier.labels[target]!r} to none of the texts; give texts that have "
                "it, or leave the label out"
            )
    return targets


def _class(classifier: Classifier, label: str) -> int:
    if label not in classifier.labels:
        raise InputError(f"there is no label {label!r}; {did_you_mean(label, classifier.labels)}")
    return classifier.labels.index(label)
