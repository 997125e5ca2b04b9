"""Whether the records in a store lead to the names of their folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from assay.harness.config.choice import EVERY_CAPABILITY, choose
from assay.harness.config.keys import canonical, key
from assay.harness.storage.layout import MODELS, StoredModel, StoredTrial
from assay.harness.storage.store import Store, intact, parse_json
from assay.harness.trials.plan import Cell, Trial, cells
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task


@dataclass(frozen=True, slots=True)
class Texts:
    """Ids of the explained texts in their order, and how many classes there are."""

    ids: Sequence[str]
    classes: int


def parsed(path: Path, *, unsealed: bool = False) -> dict[str, Any] | None:
    """A JSON record; None where there is none, or not what was written. Nothing is set aside.

    unsealed: whether the record may lack its checksum, as an entry of the ledger that was written by hand.
    """
    try:
        record = parse_json(path, unsealed=unsealed)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


class Records:
    """The records of a store, each read once.

    Attributes:
        store: the store.
        models: from weights to the names of the models that have them.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.models: dict[str, list[str]] = {}
        self._cells: dict[str, dict[str, Cell]] = {}
        self._texts: dict[str, Texts | None] = {}
        for folder in store.folders(MODELS):
            card = parsed(StoredModel(folder).card)
            if card is not None and "weights" in card:
                self.models.setdefault(str(card["weights"]), []).append(folder.name)

    def fits_cell(self, record: dict[str, Any], name: str) -> bool | None:
        """Whether a cell of this record is called `name`; None if that cannot be told: its model is gone, or
        its explainer is of a package that is not here.

        If not, then no experiment will find it: another version of Assay made it, or it was altered.
        """
        return self._traced(record, lambda *model: self._is_cell(record, name, *model))

    def fits_trial(self, record: dict[str, Any], name: str) -> bool | None:
        """The same of a trial."""
        return self._traced(record, lambda *model: key("trial", *model, record["explained"]) == name)

    def _traced(self, record: dict[str, Any], leads: Callable[[str, str], bool]) -> bool | None:
        """leads: whether a model of a name and weights leads to the folder's name."""
        try:
            weights = record["weights"]
            if weights in self.models:
                return any(leads(model, weights) for model in self.models[weights])
            others = ((model, own) for own, models in self.models.items() for model in models)
            return False if any(leads(*other) for other in others) else None
        except (InputError, KeyError, TypeError, OmegaConfBaseException):
            return None

    def _is_cell(self, record: dict[str, Any], name: str, model: str, weights: str) -> bool:
        config = record["config"]
        cell = self._named(record, model, weights).get(name)
        return (
            cell is not None
            and record["explainer"] == cell.method.explainer_name
            and record["baseline"] == cell.method.baseline_name
            and record["explainer_seed"] == cell.explainer_seed
            and record["task"] == config["task"]["name"]
            and record["model"] == config["model"]["name"]
            and record["seed"] == config["seed"]
        )

    def texts(self, record: dict[str, Any]) -> Texts | None:
        """What a cell of this record explains; None if the store does not say."""
        weights, explained = record["weights"], record["explained"]
        for name in [key("trial", model, weights, explained) for model in self.models.get(weights, [])]:
            if name not in self._texts:
                self._texts[name] = self._read_texts(StoredTrial(self.store.trial(name)))
            if self._texts[name] is not None:
                return self._texts[name]
        return None

    def _read_texts(self, trial: StoredTrial) -> Texts | None:
        record, path = parsed(trial.record), trial.predictions
        if record is None or "labels" not in record or not intact(path):
            return None
        return Texts(
            pq.read_table(path, columns=["example_id"])["example_id"].to_pylist(), len(record["labels"])
        )

    def _named(self, record: dict[str, Any], model: str, weights: str) -> dict[str, Cell]:
        """Every cell, by name, of the trial that a record is of."""
        config, explained = OmegaConf.create(record["config"]), record["explained"]
        assert isinstance(config, DictConfig)
        source = canonical([config, model, weights, explained])
        if source not in self._cells:
            trial = Trial(config, _any_task(str(record["task"])), choose(config), model, explained)
            self._cells[source] = {cell.key: cell for cell in cells(trial, weights, EVERY_CAPABILITY)}
        return self._cells[source]


def _any_task(name: str) -> Task:
    """A task in place of one that need not be loaded: names do not depend on its texts."""
    examples = (Example("any", ("any",), (0,)),)
    return Task(name, ("any",), examples, examples, examples)
