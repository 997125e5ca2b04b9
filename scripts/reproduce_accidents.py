"""OSHA's accident abstracts explained by concepts: what do auxiliary tasks cost, and what do they explain?

    python scripts/reproduce_accidents.py --path osha.csv [--quick] [--seeds N] [--texts N]

Task: fatal or not, of abstracts in which the outcome is masked (docs/accidents.md). Models: cnn; concept_cnn
with heads for six questions beside the decision (side heads); concept_cnn whose decision goes through them
(bottleneck). All intervals are over texts and seeds, at 95 %.

1. Macro-F1 of the main task, against the cnn (paired).
2. Accuracy of every question against its most frequent answer in training (paired).
3. The explanations of some test texts, judged: fall of the probability without the words of the top concept,
   without as many words by word-level explainers and as many random ones; how often a linear reader tells the
   decision from three concepts, three words, or controls; how alike two seeds explain.
4. Five cases as a reader sees them.
The bar: the words of the top concept matter more than as many random words (p < 0.05, both models); macro-F1
with auxiliary tasks is at most 0.03 below that of the cnn; no learned head is worse than the most frequent
answer; a reader of concept names tells more decisions than one of another text's (p < 0.05, both models).
--quick: one seed, a part of the texts and few epochs; under a minute; no bar but that it runs to the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from accidents_lab import (
    BOOTSTRAP,
    KINDS,
    as_read,
    drawn,
    explain,
    first_row,
    judged_table,
    print_judged,
    rows_of,
    stable_rows,
)
from bar import Table, finish, options

import assay
from assay.explainers.concepts.heads import Heads
from assay.harness.interface.classifiers import Classifier
from assay.models.concept_heads import heads as heads_of
from assay.models.concept_layer import answers
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import ConceptModel
from assay.results.statistics.intervals import Floats
from assay.results.statistics.paired import difference, estimate, interval, macro_f1, mean_statistic
from assay.tasks.example import Example, Task
from assay.tasks.grouping import cluster_numbers, clusters

MARGIN, CASES = 0.03, 5
FALL, NAMES = "fall without words", "reader of names"
Models = Mapping[str, Sequence[Classifier]]


def groups_of(texts: Sequence[Example]) -> np.ndarray:
    """(N,) the number of each text's group."""
    return cluster_numbers([text.id for text in texts], clusters(texts))


def main_part(models: Models, task: Task) -> tuple[bool, str]:
    """Part 1; whether its bar is met, and its figures."""
    groups = groups_of(task.test)
    gold = np.array([text.labels[0] for text in task.test])
    measured = {
        kind: {
            str(seed): np.stack([gold, model.predict_proba(task.test).argmax(axis=1)], axis=1).astype(float)
            for seed, model in enumerate(of_kind)
        }
        for kind, of_kind in models.items()
    }
    print(f"\nMacro-F1 on {len(task.test)} test texts; difference: from the cnn\n")
    table = Table("model", **{"macro-F1": ".3f", "low": ".3f", "high": ".3f"},
                  **{"difference": "+.3f", "low ": "+.3f", "high ": "+.3f", "p": ".3f"})  # fmt: skip
    met, figures = True, []
    for kind, by_seed in measured.items():
        found = estimate(macro_f1, by_seed, groups, BOOTSTRAP)
        low, high = interval(found, BOOTSTRAP)[:2]
        if kind == "cnn":
            table.row(kind, found.value, low, high, None, None, None, None)
            continue
        from_cnn = difference(macro_f1, by_seed, measured["cnn"], groups, BOOTSTRAP)
        table.row(kind, found.value, low, high, from_cnn.value, *from_cnn.interval[:2], from_cnn.p)
        met &= kind != "side heads" or from_cnn.value >= -MARGIN
        figures.append(f"macro-F1 {found.value:.3f} with {kind} ({from_cnn.value:+.3f} from the cnn)")
    return met, ", ".join(figures)


def answered(model: Classifier, texts: Sequence[Example]) -> Floats:
    """(N, C) probabilities of all answers."""
    view = Engine(heads_of(model.model))
    rows = [full_rows(encoding) for encoding in model.model.encode([text.texts for text in texts])]
    return Heads.of(model.model).probabilities(np.concatenate(view.logits(rows)))


def question_part(models: Models, task: Task) -> bool:
    """Part 2; whether no learned head is worse than the most frequent answer."""
    print("\nAccuracy of every question; difference: from its most frequent answer in training\n")
    numbers = {"texts": "d", "learned": "d", "accuracy": ".3f", "most frequent": ".3f"}
    compared = {"difference": "+.3f", "low": "+.3f", "high": "+.3f", "p": ".3f"}
    table = Table("question", "model", **numbers, **compared)
    groups, met = groups_of(task.test), True
    for kind in KINDS:
        given = [answered(model, task.test) for model in models[kind]]
        first = models[kind][0].model
        assert isinstance(first, ConceptModel)
        gold = answers(task.test, task, first.questions)
        train = answers(task.train, task, first.questions)
        learned = [np.array(Heads.of(model.model).learned) for model in models[kind]]
        for number, question in enumerate(first.questions):
            known, at = gold[:, number] >= 0, Heads.of(first).question == number
            right = gold[known, number]
            often = np.bincount(train[train[:, number] >= 0, number]).argmax()
            mine = {
                str(seed): (of[known][:, at].argmax(axis=1) == right)[:, None].astype(float)
                for seed, of in enumerate(given)
            }
            constant = {seed: (right == often)[:, None].astype(float) for seed in mine}
            of_known = np.unique(groups[known], return_inverse=True)[1]
            found = difference(mean_statistic, mine, constant, of_known, BOOTSTRAP)
            accuracy = float(np.mean([of.mean() for of in mine.values()]))
            by_how_many = sum(int(of[number]) for of in learned)
            table.row(
                question.name, kind, int(known.sum()), by_how_many, accuracy, float((right == often).mean()),
                found.value, *found.interval[:2], found.p,
            )  # fmt: skip
            met &= by_how_many < len(learned) or found.value >= 0
    return met


def explanation_part(models: Models, task: Task, texts: Sequence[Example]) -> tuple[bool, str]:
    """Parts 3 and 4; whether their bars are met, and their figures."""
    print(f"\nExplanations of {len(texts)} test texts, judged; the first of each judge is compared\n")
    table, met, figures, shown = judged_table(), True, [], []
    for kind in KINDS:
        found, judged = zip(
            *(explain(model, texts, at) for at, model in enumerate(models[kind])), strict=True
        )
        rows = [*rows_of(judged, texts), *stable_rows(found, texts)]
        print_judged(kind, rows, table)
        falls, without = (first_row(rows, FALL, what) for what in ("as many random", "top concept"))
        other, own = (first_row(rows, NAMES, what) for what in ("concepts of another", "concepts"))
        met &= min(falls.difference, other.difference) > 0 and max(falls.p, other.p) < 0.05
        fell = (
            f"the probability falls by {without.value:.3f} without the words of the top concept, by "
            f"{falls.value:.3f} without random ones"
        )
        figures.append(
            f"{kind}: {fell if without.texts else 'no learned concept has words in a text'}; a reader of "
            f"concept names is right on {own.value:.1%}, of another text's on {other.value:.1%}"
        )
        shown += [as_read(found[0], task, place) for place in drawn(texts, CASES)] if not shown else []
    print("\nFive cases, explained through side heads\n", *shown, sep="\n\n")
    return met, "; ".join(figures)


def main() -> None:
    chosen = options(
        __doc__,
        "one seed, a part of the texts and few epochs; under a minute",
        path=(str, "OSHA's CSV file"),
        seeds=(3, "models of each kind"),
        texts=(150, "test texts that are explained"),
        store=("", "a folder in which trained models are kept"),
    )
    torch.set_num_threads(1)
    if not chosen.path:
        finish(False, "give --path, the CSV file that docs/accidents.md names")
    task = assay.task("osha_accidents", path=chosen.path)
    settings: dict[str, Any] = {"over_limit": "truncate", "store": chosen.store or None}
    if chosen.quick:
        task = replace(task, train=task.train[::4], dev=task.dev[:100], test=task.test[:100])
        # Enough for a head to learn something, so that the first judge has concepts to judge.
        settings["training"] = {"epochs": 3, "learning_rate": 0.01}
    seeds, count = (1, 12) if chosen.quick else (chosen.seeds, chosen.texts)
    kinds = {"cnn": ("cnn", {}), **KINDS}
    models = {
        kind: [assay.fit(name, task, seed=seed, **of_kind, **settings) for seed in range(seeds)]
        for kind, (name, of_kind) in kinds.items()
    }
    met, figures = main_part(models, task)
    not_worse = question_part(models, task)
    texts = [task.test[place] for place in drawn(task.test, count)]
    told, of_explanations = explanation_part(models, task, texts)
    finish(
        chosen.quick or (met and not_worse and told),
        f"{figures}; learned heads {'' if not_worse else 'not '}at least as good as the most frequent "
        f"answer; {of_explanations}"
        f"{' (quick: not judged)' if chosen.quick else ''}",
    )


if __name__ == "__main__":
    main()
