"""Concepts in a reader's own terms: which of them a class depends on, and one decision explained by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.explainers.concepts.completeness import Completeness, completeness
from assay.explainers.concepts.decision import Evidence, explain_decision
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.layer_vectors import CHUNK
from assay.explainers.concepts.probes import Probe
from assay.explainers.concepts.tcav import (
    ConceptVector,
    TcavScore,
)
from assay.explainers.concepts.text_vectors import text_vectors
from assay.harness.interface.classifiers import Classifier
from assay.harness.interface.settings import chosen
from assay.harness.interface.tasks import as_examples, items_of
from assay.harness.validation.concept_pages import About, sentences, write_pages
from assay.metrics.cell_data import gold, predicted
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.corrections import Corrections
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_choice, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.grouping import unit_keys

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
            without_concept: texts behind the CAV; sign_count, magnitude, effect, effect_error, p: as in
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
                    "effect_error": score.error,
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

    def sentences(
        self, texts: object, label: str | None = None, layer: str | None = None, *, noun: str = "report"
    ) -> list[str]:
        """`explain` in a sentence each; noun: what a text is called."""
        examples = as_examples(items_of(texts), pairs=self.classifier.pairs)
        explained = self.explain(examples, label, layer)
        given = self.classifier.predict_proba(examples)
        return sentences(self.classifier.model, examples, explained, given, noun)

    def write_pages(
        self,
        folder: str | Path,
        texts: object,
        label: str | None = None,
        layer: str | None = None,
        *,
        title: str | None = None,
        noun: str = "report",
        task: Task | None = None,
    ) -> Path:
        """Write a page per text and a portfolio of all of them, explained by these concepts.

        Args:
            folder: is made if it is not there.
            texts: a text, or a list of texts or examples.
            label: that the pages are about, one of those in `table`; None for the last of them.
            layer: one of those in `table`; None for the highest.
            title: of the portfolio; by default the names of task and model.
            noun: what a text is called, such as "claim".
            task: of the texts, whose first auxiliary question parts them; by default that of training.

        Returns:
            The portfolio's page, index.html.

        Raises:
            InputError: a label or a layer that is not in the table, or no task.
        """
        source, labels = task or self.classifier.task, self.classifier.labels
        if source is None:
            raise InputError("pages are of texts of a task, and this model has none; give task=<a task>")
        examples = as_examples(items_of(texts), pairs=self.classifier.pairs)
        last = labels[max(score.target for score in self.scores)]
        explained = self.explain(examples, last if label is None else label, layer)
        name = title or f"{source.name}, {self.classifier.name}"
        number = None if label is None and last == labels[-1] else labels.index(label or last)
        return write_pages(
            Path(folder),
            About(name, number, noun),
            self.classifier.engine,
            source,
            examples,
            explained,
            self.classifier.predict_proba(examples),
        )

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
        scores, given = list[Floats](), list[Bools]()
        for start in range(0, len(self.examples), CHUNK):
            part = self.examples[start : start + CHUNK]
            scores.append(text_vectors(self.classifier.engine, part, [of_layer])[of_layer] @ units.T)
            given.append(decided(self.classifier, part))
        truth = told = np.concatenate(given)
        if of_gold:
            if not all(example.labels for example in self.examples):
                raise InputError("some of the texts have no gold label; leave of_gold out")
            truth = gold(self.examples, len(self.classifier.labels))
        classes, decisions = (self._classes(table, label) for table in (truth, told))
        full = float((classes == decisions).mean())
        return completeness(np.concatenate(scores), classes, full, unit_keys(self.examples), self.seed)

    def __repr__(self) -> str:
        concepts = counted(len({score.concept for score in self.scores}), "concept")
        return f"TCAV of {concepts} at {', '.join(self.vectors)} on {counted(len(self.examples), 'text')}"

    def _classes(self, table: Bools, label: str | None) -> Ints:
        if label is None:
            return table.argmax(axis=1)
        return table[:, class_of(self.classifier, label)].astype(np.intp)

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


def decided(classifier: Classifier, examples: Sequence[Example]) -> Bools:
    """(N, K) the labels that the model gives to texts."""
    encodings = classifier.model.encode([example.texts for example in examples])
    return predicted(classifier.engine.probabilities(encodings), multi_label=classifier.model.multi_label)


def class_of(classifier: Classifier, label: str) -> int:
    """The number of a label. Raises InputError on an unknown one."""
    if label not in classifier.labels:
        raise InputError(f"there is no label {label!r}; {did_you_mean(label, classifier.labels)}")
    return classifier.labels.index(label)
