"""The classes of an example that a metric scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.explainers.perturbation.output_spaces import output_space
from assay.metrics.cell_data import Shard, gold, predicted
from assay.metrics.options import choice
from assay.tasks.arrays import Bools, Reals
from assay.tasks.errors import InputError
from assay.tasks.example import Example

CHOICES = ("gold", "predicted", "all")


def target_option(default: str) -> str:
    """The option `target` of a metric: which classes of an example are scored, one of CHOICES."""
    return choice(default, CHOICES)


def chosen(shard: Shard, target: str, *, multi_label: bool) -> Bools:
    """(N, K) bool: the classes of each example that `target` (one of CHOICES) selects."""
    if target == "gold":
        return gold(shard.examples, shard.probabilities.shape[1])
    if target == "predicted":
        return predicted(shard.probabilities, multi_label=multi_label)
    return np.ones(shard.probabilities.shape, dtype=bool)


def decided(logits: Reals, *, multi_label: bool) -> Bools:
    """(R, K) bool: the classes that logits (R, K) predict."""
    return predicted(output_space(logits, "probability", multi_label=multi_label), multi_label=multi_label)


def require_explained(shard: Shard, targets: Bools, labels: Sequence[str], metric: str) -> None:
    """Raise InputError when a class in `targets` (N, K) was not explained for its example."""
    missing = targets & np.isnan(shard.scores).any(axis=2)
    if missing.any():
        row, label = (int(axis[0]) for axis in np.nonzero(missing))
        raise InputError(
            f"{metric} needs explanations of class {labels[label]!r} for example "
            f"{shard.examples[row].id!r}, which were not made; explain all classes or choose another target"
        )


def require_all_explained(shard: Shard, labels: Sequence[str], metric: str) -> None:
    """Raise InputError when some class was not explained for some example."""
    require_explained(shard, np.ones(shard.probabilities.shape, dtype=bool), labels, metric)


def require_every_class(scores: Reals, example: Example, metric: str) -> None:
    """Raise InputError when the scores (K, T) of some class of an example are missing."""
    if np.isnan(scores).any():
        raise InputError(
            f"{metric} needs explanations of all classes, but example {example.id!r} has only some; explain "
            "all classes"
        )
