"""What is known to limit explanations of single labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from assay.results.columns import LabelRow, method_of
from assay.results.recommendation.evidence import TRUTH
from assay.results.records import Group, Method, Results, TaskSize
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.labels import OF_LABEL
from assay.tasks.counted import counted

# Below it, most of what a model says of a label is wrong, or most of the label is missed.
LOW_F1 = 0.5


FEW, POOR = "few texts", "the model is poor at it"
RANDOM, UNMEASURED, UNLABELLED = "not shown to be better than random", "not measured on it", "no labels"
ABSENT = "F1 undefined"


class Limit(NamedTuple):
    """What limits explanations of a label. kind: one of those above. words: the number behind it."""

    kind: str
    words: str

    @property
    def text(self) -> str:
        """Both in one."""
        return f"{self.kind}: {self.words}"


@dataclass(frozen=True, slots=True)
class LabelLimit:
    """One label of the task.

    Attributes:
        label: its name.
        texts: how many explained texts have it; None where texts have no labels.
        f1: of the model on the label, mean over seeds; NaN where unknown, and where no text has the label.
        values: by each metric the method on this label, of tasks with several labels per text.
        limits: what limits explanations of the label; none where nothing is known to.
    """

    label: str
    texts: int | None
    f1: float
    values: tuple[LabelRow, ...]
    limits: tuple[Limit, ...]


def label_limits(
    results: Results, labels: Sequence[LabelRow], group: Group, method: Method, task: TaskSize
) -> Iterator[LabelLimit]:
    """The labels of a task, in class order, with what limits explanations of each.

    Args:
        results: the scores, for the quality of the models.
        labels: the rows of the comparison label by label.
        group: task and model.
        method: the explainer and its baseline.
        task: for the labels and their texts.
    """
    rows = [row for row in labels if row.group == group and row.scope == OF_LABEL]
    by_label = {row.metric for row in labels if row.group == group}
    truth = [metric for metric in results.metrics if metric.property in TRUTH and metric.name in by_label]
    multi_label = any(one.group == group for one in results.labels)
    for place, label in enumerate(task.labels):
        texts = _texts(task, place)
        known = [model.f1[label] for model in results.models if model.group == group and label in model.f1]
        # Of a label that no text has there is nothing to find, whatever a record has for it.
        f1 = fmean(known) if known and texts != 0 else math.nan
        random = {row.metric for row in rows if row.label == label and row.explainer == results.random}
        own = {row.metric: row for row in rows if row.label == label and method_of(row) == method}
        said = [*_of_texts(texts), *_of_model(f1)]
        if multi_label:
            rows_of = {metric.title: own.get(metric.name) for metric in truth}
            lacking = [title for title, row in rows_of.items() if row is None or not math.isfinite(row.value)]
            said += [Limit(UNMEASURED, ", ".join(lacking))] if lacking else []
            weak = [
                title
                for title, row in rows_of.items()
                if title not in lacking
                and row
                and row.metric in random
                and not (row.better_than_random or row.control)
            ]
            said += [Limit(RANDOM, ", ".join(weak))] if weak else []
        yield LabelLimit(label, texts, f1, tuple(own.values()), tuple(said))


def _texts(task: TaskSize, label: int) -> int | None:
    """How many explained texts have the label."""
    if task.sheet is None or not task.sheet.labelled:
        return None
    return task.sheet.test.labels[label].texts


def _of_texts(texts: int | None) -> list[Limit]:
    if texts is None:
        return [Limit(UNLABELLED, "what is right is unknown")]
    if texts == 0:
        return [Limit(FEW, "no explained text with it"), Limit(ABSENT, "no text to find it in")]
    return [Limit(FEW, f"{counted(texts, 'explained text')} with it")] if texts < FEWEST else []


def _of_model(f1: float) -> list[Limit]:
    return [Limit(POOR, f"F1 {f1:.2f}, below {LOW_F1}")] if f1 < LOW_F1 else []
