"""What was asked of embeddings and hidden layers, as the report shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.store import read_json
from assay.harness.trials.experiment import Experiment

if TYPE_CHECKING:
    from assay.results.figures.style import Drawing


def knowledge_record(experiment: Experiment) -> dict[str, Any]:
    """What the folder `knowledge` was made from, with its figures; empty where nothing is asked or found."""
    if not experiment.configs[0].knowledge.ask:
        return {}
    return read_json(_stored(experiment).knowledge_record) or {}


def knowledge_figures(experiment: Experiment) -> list[Drawing]:
    """The figures of the folder, in the order of its record; those whose file is gone are left out."""
    from assay.results.figures.style import Drawing

    folder = _stored(experiment).knowledge
    named = [(one, folder / f"{one['name']}.svg") for one in knowledge_record(experiment).get("figures", [])]
    return [
        Drawing(one["name"], one["title"], one["text"], path.read_bytes(), b"")
        for one, path in named
        if path.is_file()
    ]


def _stored(experiment: Experiment) -> StoredExperiment:
    return StoredExperiment(experiment.store.experiment(experiment.name))
