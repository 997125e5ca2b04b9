"""The classes of an example that a metric scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.metrics.cell_data import Shard, gold, predicted
from assay.tasks.arrays import Bools
from assay.tasks.errors import InputError, did_you_mean

CHOICES = ("gold", "predicted", "all")


def check_choice(target: str, metric: str) -> None:
    """Raise InputError unless `target` is one of CHOICES."""
    if target not in CHOICES:
        raise InputError(f"{metric}: unknown target {target!r}; {did_you_mean(target, list(CHOICES))}")


def chosen(shard: Shard, target: str, *, multi_label: bool) -> Bools:
    """(N, K) bool: the classes of each example that `target` (one of CHOICES) selects."""
    if target == "gold":
        return gold(shard.examples, shard.probabilities.shape[1])
    if target == "predicted":
        return predicted(shard.probabilities, multi_label=multi_label)
    return np.ones(shard.probabilities.shape, dtype=bool)


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
