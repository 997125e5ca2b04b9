"""The resampling that a configuration asks for."""

from __future__ import annotations

from omegaconf import DictConfig

from assay.results.statistics.estimates import Bootstrap


def bootstrap_of(config: DictConfig) -> Bootstrap:
    """The bootstrap of `report.bootstrap` and `report.seed`."""
    return Bootstrap(n=int(config.report.bootstrap), seed=int(config.report.seed))
