"""One job: the model loaded once, then cell by cell explained shard by shard and scored.

Jobs that share a store share the work: a shard, or a metric of a cell, that another job has claimed is left
to it, and what is on disk already is not done again. So a job may be killed at any moment, or started twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from assay.explainers.masks.learned_noise import Fitted, noise_of
from assay.explainers.precisions import used_precision
from assay.explainers.reliability import unreliable
from assay.harness.config.keys import plain
from assay.harness.config.provenance import explainer_libraries, library_versions
from assay.harness.storage.entries import ledger_of, owner
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.ledger import clear_failure, log, record_failure
from assay.harness.storage.locks import acquire, run_until_done
from assay.harness.storage.store import Damaged, Store, check_space, present, read_json, write_json
from assay.harness.trials.cells import Loaded, explain_part, score
from assay.harness.trials.loading import load_trial
from assay.harness.trials.made_anew import drop_others
from assay.harness.trials.made_with import about_gates
from assay.harness.trials.plan import Cell
from assay.harness.trials.progress import Progress, progress, say_begun
from assay.harness.trials.titles import failure_key, title
from assay.harness.trials.trial import TrialCells, cells_of_model, complete, load_model, scored_on
from assay.models.staging import check_device


def run_job(config: DictConfig) -> None:
    """Do what is not done yet of one trial, or of one portion of its shards; what fails goes to the ledger.

    Raises StoreFull.
    """
    store = Store(config.store)
    check_space(store)
    # A trial that failed as a whole has failed in all of its cells, also for those of its portions that come
    # when another has loaded its model and taken the failure out of the ledger.
    only_failed = config.only_failed is not None and failure_key(config) not in config.only_failed
    with threads(config.engine.threads), progress(title(config)) as where:
        where.at("its model")
        loaded = _open(config, store)
        if loaded is not None:
            _Job(loaded, store, _planned(loaded), only_failed, where).run()


def run_cells(loaded: Loaded, store: Store) -> None:
    """Explain and score what is missing of a trial whose model is at hand; failures go to the ledger.

    Raises StoreFull.
    """
    check_space(store)
    _Job(loaded, store, _planned(loaded), only_failed=False, where=Progress(loaded.trial.title)).run()


def _planned(loaded: Loaded) -> TrialCells:
    return cells_of_model(loaded.trial, loaded.weights, loaded.capabilities)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Give every library that computes so many threads; sums in the same order leave the same bytes."""
    if count is None:
        yield
        return
    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _open(config: DictConfig, store: Store) -> Loaded | None:
    """The trial with its model; None when there is nothing to do, or it failed."""
    with record_failure(store, failure_key(config), title(config)):
        trial = load_trial(config)
        if int(config.portion) < trial.portions and not complete(trial, store):
            if int(config.portion) == 0:
                say_begun(title(config))
            check_device(config.engine.device, "engine.device")
            return load_model(trial, store)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """only_failed: cells that never failed are left alone. verified: explanations that are known to be whole.
    reliabilities: (reliability, forward rows) of what this job explained, by cell. reopened: cells whose
    files were found damaged."""

    loaded: Loaded
    store: Store
    planned: TrialCells
    only_failed: bool
    where: Progress
    verified: set[tuple[str, int]] = field(default_factory=set)
    reliabilities: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)

    @property
    def shards(self) -> range:
        """Numbers of the shards that are this job's to explain."""
        config, total = self.loaded.trial.config, len(self.loaded.parts())
        size = config.shards_per_job or total
        return range(total)[int(config.portion) * size :][:size]

    def run(self) -> None:
        # Two names of equal settings are one cell.
        todo = list({cell.key: cell for cell in self.planned.possible}.values())
        if self.only_failed:
            keys = {cell.key for cell in todo}
            failed = {owner(entry, keys) for entry in ledger_of(self.store, keys)}
            todo = [cell for cell in todo if cell.key in failed]
        self.where.total = len(todo) * self._texts()
        run_until_done(todo, self._advance)

    def _advance(self, cell: Cell) -> bool:
        """Go on with a cell as far as possible; False if the rest waits for another job."""
        self.where.at(cell.title, self._texts())
        with record_failure(self.store, cell.key, self._title(cell), clear=False):
            try:
                self._drop_others(cell)
                return self._explain(cell) and self._score(cell)
            except Damaged:
                if cell.key in self.reopened:
                    raise
                self.reopened.add(cell.key)
                return False
        return True

    def _explain(self, cell: Cell) -> bool:
        """Whether the cell's explanations wait for no other job."""
        waits = False
        for number in self.shards:
            if self._has(cell, number):
                continue
            with acquire(self.store, f"{cell.key}-{number:05d}", self._title(cell)) as ours:
                if ours and not self._has(cell, number):
                    explained = explain_part(cell, self.loaded, self.store, number)
                    self.reliabilities.setdefault(cell.key, []).extend(explained)
                    self._count(cell, number)
                waits |= not ours
        return not waits

    def _drop_others(self, cell: Cell) -> bool:
        """Whether parts of the cell were made with what was trained anew since, and are gone now."""
        dropped = drop_others(cell, scored_on(cell, self.planned.metrics), self.loaded, self.store)
        if dropped:
            self.verified.difference_update([known for known in self.verified if known[0] == cell.key])
        return dropped

    def _score(self, cell: Cell) -> bool:
        """Whether the cell's scores wait for no other job; without all explanations there are none."""
        stored = StoredCell(self.store.cell(cell.key))
        if read_json(stored.record) is None:
            if any(not stored.part(number).exists() for number in range(len(self.loaded.parts()))):
                return True
            # Another job may have trained while this one explained.
            if self._drop_others(cell):
                return False
            write_json(stored.record, _description(cell, self.loaded))
            if warning := unreliable(*np.reshape(self.reliabilities.get(cell.key, []), (-1, 2)).T):
                log.warning("%s, %s: %s", self.loaded.trial.title, cell.title, warning)
        waits = False
        for chosen in scored_on(cell, self.planned.metrics):
            path = stored.scores(chosen.key)
            if path.exists():
                continue
            name, about = f"{cell.key}-{chosen.key}", f"{self._title(cell)} / {chosen.metric.name}"
            self.where.at(f"{chosen.metric.name} of {cell.title}")
            with acquire(self.store, name, about) as ours:
                if ours and not path.exists():
                    # One metric that fails must not cost the others.
                    with record_failure(self.store, name, about):
                        score(cell, chosen, self.loaded, self.store)
                waits |= not ours
        if not waits:
            clear_failure(self.store, cell.key)
        return not waits

    def _has(self, cell: Cell, number: int) -> bool:
        if (cell.key, number) in self.verified:
            return True
        stored = StoredCell(self.store.cell(cell.key))
        if not (present(stored.part(number)) and present(stored.seconds(number))):
            return False
        self._count(cell, number)
        return True

    def _count(self, cell: Cell, number: int) -> None:
        self.verified.add((cell.key, number))
        part = self.loaded.parts()[number]
        self.where.tick(part.stop - part.start)

    def _texts(self) -> int:
        """How many this job explains by every cell."""
        return sum(
            part.stop - part.start for part in self.loaded.parts()[self.shards.start : self.shards.stop]
        )

    def _title(self, cell: Cell) -> str:
        return f"{self.loaded.trial.title} / {cell.title}"


def _description(cell: Cell, loaded: Loaded) -> dict[str, Any]:
    """What cell.json says of where its numbers come from."""
    config, settings = loaded.trial.config, plain(loaded.trial.config)
    # Sweeps share cells: what one is called there, and what is asked after a run, is no part of its record.
    del settings["axes"], settings["knowledge"], settings["concepts"], settings["workers"]
    run_by = getattr(cell.method.explainer, "run_by", None)
    return {
        "task": loaded.trial.task.name,
        "model": str(config.model.name),
        "kind": loaded.trial.kind,
        "seed": loaded.trial.seed,
        "explainer": cell.method.explainer_name,
        "baseline": cell.method.baseline_name,
        "baseline_policy": cell.method.baseline.policy if cell.method.baseline else None,
        **_of_masked_lm(cell, loaded),
        **_of_gates(cell, loaded),
        **_of_noise(cell, loaded),
        "explainer_seed": cell.explainer_seed,
        # Only of code that is not Assay's.
        **({} if run_by is None else {"run_by": run_by}),
        "weights": loaded.weights,
        "explained": loaded.trial.explained,
        "device": config.engine.device,
        "budget": loaded.engine.budget,
        **used_precision(cell.method.explainer, loaded.engine.precision).record(),
        "versions": library_versions() | explainer_libraries([cell.method.explainer]),
        "config": settings,
    }


def _of_masked_lm(cell: Cell, loaded: Loaded) -> dict[str, Any]:
    """How good the masked language model of the cell's baseline is, if it has one that was trained."""
    baseline = cell.method.baseline
    if baseline is None or not baseline.mixture:
        return {}
    about = getattr(loaded.fitted(baseline), "about", None)
    return {} if about is None else {"masked_language_model": about}


def _of_gates(cell: Cell, loaded: Loaded) -> dict[str, Any]:
    """What the gates of the cell's explainer cost and reached, if it has any; it is in no text's cost."""
    about = about_gates(loaded.fitted_explainer(cell.method.explainer))
    return {"trained": about} if about else {}


def _of_noise(cell: Cell, loaded: Loaded) -> dict[str, Any]:
    """What the first layer was asked for an explainer that learns noise; it is in no text's cost."""
    made = noise_of(loaded.fitted_explainer(cell.method.explainer))
    if not isinstance(made, Fitted):
        return {}
    return {"noise_statistics": {"texts": made.spread.texts, "tokens": made.spread.tokens}}
