"""Metrics that compare two models of one architecture: every pair of seeds, after the trials are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from harness.cells import StoredShards
from harness.choice import ChosenMetric
from harness.keys import canonical, key
from harness.ledger import ledgered
from harness.plan import Cell, Trial, cells, metric_refusal
from harness.store import Store, write_table
from harness.trial import load_model, read_card
from metrics.rationale_consistency import activation_distances
from metrics.subject import PairMetric


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two trials of one task and architecture that differ in the seed, or in being trained."""

    first: Trial
    second: Trial
    key: str

    @property
    def kind(self) -> str:
        kinds = {self.first.kind, self.second.kind}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def seeds(self) -> str:
        return f"{self.first.seed}-{self.second.seed}"

    @property
    def title(self) -> str:
        return f"{self.first.title} against {self.second.title}"


@dataclass(frozen=True, slots=True, eq=False)
class PairCell:
    """One metric of one explainer on a pair of models; path: where its long table lies or will lie."""

    first: Cell
    second: Cell
    chosen: ChosenMetric
    path: Path


def pairs(trials: Sequence[Trial], store: Store) -> list[Pair]:
    """All pairs of distinct, comparable trials whose models are known."""
    found = []
    for first, second in combinations(trials, 2):
        card_a, card_b = read_card(first, store), read_card(second, store)
        if card_a is None or card_b is None or _architecture(first) != _architecture(second):
            continue
        names = first.key(card_a["weights"]), second.key(card_b["weights"])
        if names[0] != names[1]:
            found.append(Pair(first, second, key("pair", *names)))
    return found


def pair_cells(pair: Pair, store: Store) -> Iterator[PairCell]:
    """The pair's metrics on every explainer whose cells of both models are complete."""
    first, has_first = _done(pair.first, store)
    second, has_second = _done(pair.second, store)
    for chosen in pair.first.choice.metrics:
        refused = metric_refusal(chosen.metric, pair.first, has_first) or metric_refusal(
            chosen.metric, pair.second, has_second
        )
        if refused or not isinstance(chosen.metric, PairMetric):
            continue
        for name in (name for name in first if name in second):
            a, b = first[name], second[name]
            file = f"{chosen.key}-{key('pair cell', a.key, b.key)}.parquet"
            yield PairCell(a, b, chosen, store.pair(pair.key) / "scores" / file)


def _done(trial: Trial, store: Store) -> tuple[dict[tuple[str, str, int], Cell], frozenset[str]]:
    """A trial's complete cells by explainer, baseline and explainer seed, and its model's abilities."""
    card = read_card(trial, store) or {"weights": "", "abilities": []}
    has = frozenset(card["abilities"])
    done = {
        (cell.method.explainer_name, cell.method.baseline_name, cell.explainer_seed): cell
        for cell in cells(trial, card["weights"], has)
        if cell.refusal is None and (store.cell(cell.key) / "cell.json").exists()
    }
    return done, has


def run_pairs(trials: Sequence[Trial], store: Store) -> None:
    """Score every pair that is not scored yet; what fails goes to the ledger."""
    waiting = [(pair, todo) for pair in pairs(trials, store) if (todo := _missing(pair, store))]
    for pair, todo in tqdm(waiting, desc="pairs of models", unit="pair", disable=None):
        with ledgered(store, pair.key, pair.title):
            _run_pair(pair, todo, store)


def _missing(pair: Pair, store: Store) -> list[PairCell]:
    return [cell for cell in pair_cells(pair, store) if not cell.path.exists()]


def _run_pair(pair: Pair, todo: Sequence[PairCell], store: Store) -> None:
    first, second = load_model(pair.first, store), load_model(pair.second, store)
    test = pair.first.task.test
    path = store.pair(pair.key) / "activation_distances.parquet"
    if not path.exists():
        encodings = first.model.encode([example.texts for example in test])
        distances = activation_distances(first.engine, second.engine, encodings)
        ids = [example.id for example in test]
        write_table(path, pd.DataFrame({"example_id": ids, "distance": distances}))
    table = pd.read_parquet(path)
    known = dict(zip(table["example_id"], table["distance"], strict=True))
    for cell in todo:
        assert isinstance(cell.chosen.metric, PairMetric)
        shards = (
            StoredShards(store.cell(cell.first.key), first),
            StoredShards(store.cell(cell.second.key), second),
        )
        write_table(cell.path, cell.chosen.metric.score_pair(*shards, known))


def _architecture(trial: Trial) -> str:
    """What two trials must share: the texts, and the model but for being trained."""
    model = {name: value for name, value in trial.config.model.items() if name != "init_only"}
    return canonical([trial.explained, trial.task.name, model])
