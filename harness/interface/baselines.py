"""One baseline, for functions that take no more."""

from __future__ import annotations

from assay.explainers.baselines import Baseline
from assay.harness.interface.classifiers import Classifier, default_baseline
from assay.harness.interface.settings import chosen
from assay.tasks.errors import InputError
from assay.tasks.example import Task


def one_baseline(function: str, classifier: Classifier, baseline: object, task: Task | None) -> Baseline:
    """The baseline as an object that has seen the training texts it needs.

    Args:
        function: that asks, for messages.
        classifier: that is explained.
        baseline: by name or as an object; None for the default of the model.
        task: with the training texts; None for those of the classifier.

    Raises:
        InputError: several baselines, or one whose training texts are not known.
    """
    given = default_baseline(classifier.model) if baseline is None else baseline
    (name, built), *more = chosen("baseline", given).items()
    if more:
        raise InputError(f"{function}: {1 + len(more)} baselines are given; expected one")
    source = task or classifier.task
    made: Baseline = built.built
    if not made.from_texts:
        return made
    if source is None:
        raise InputError(
            f"baseline {name!r} is made from training texts, and this model has none; call {function} with "
            "task=<the task whose training texts it should use>"
        )
    return made.fitted(classifier.engine, source.train)
