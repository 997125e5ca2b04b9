"""What a trial is called, by its configuration alone."""

from __future__ import annotations

from omegaconf import DictConfig

from assay.harness.config.keys import key
from assay.harness.config.variants import model_name, task_name


def title(config: DictConfig) -> str:
    """A trial in a few words; the task's configuration need not be loadable."""
    untrained = " untrained" if config.model.get("init_only") else ""
    return f"{task_name(config)} / {model_name(config)}{untrained} / seed {config.seed}"


def failure_key(config: DictConfig) -> str:
    """The ledger's name for a trial that fails as a whole."""
    return key("trial configuration", config.task, config.model, config.seed, config.limits)


def file_name(*names: str) -> str:
    """Names joined to a part of a file's name.

    Example:
        >>> file_name("reviews", "cnn/2")
        'reviews-cnn_2'
    """
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in "-".join(names))
