"""Whether a configured model is finished: explained as it is, so that no text is needed to train it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.harness.config.build import check_target
from assay.harness.config.keys import plain
from assay.models.word_model import WordSpec


def is_finished(model: Any) -> bool:
    """Whether a model and its untrained twin explain texts without training.

    A checkpoint is finished with `training.epochs=0`. A model that is no architecture to train, such as a
    black box, is finished unless it has settings of training.

    Args:
        model: its settings.

    Raises:
        InputError: its `_target_` cannot be chosen.
    """
    return not reads_training_texts({**plain(model), "init_only": False})


def reads_training_texts(model: Any) -> bool:
    """Whether a model is made from training texts, by training or for its vocabulary.

    Args:
        model: its settings.

    Raises:
        InputError: its `_target_` cannot be chosen.
    """
    settings = plain(model)
    target, training = check_target(str(settings.get("_target_"))), settings.get("training")
    if isinstance(target, type) and issubclass(target, WordSpec):
        return True
    if not hasattr(target, "untrained"):
        return training is not None
    epochs = training.get("epochs") if isinstance(training, Mapping) else None
    return epochs != 0 and not settings.get("init_only")
