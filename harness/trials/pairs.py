"""Metrics that compare two models of one architecture, after the trials are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from assay.harness.config.choice import ChosenMetric
from assay.harness.config.keys import canonical, key
from assay.harness.storage.layout import StoredCell, StoredPair
from assay.harness.storage.ledger import clear_failure, record_failure
from assay.harness.storage.locks import acquire, run_until_done
from assay.harness.storage.store import Store, present, read_table, write_table
from assay.harness.trials.cells import Loaded, StoredShards
from assay.harness.trials.incompatibilities import metric_incompatibility
from assay.harness.trials.made_with import MadeWith, has_masked_lm, named, read_made_with
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trained_gates import gates_of
from assay.harness.trials.trial import TrialCells, load_model, read_card, trial_cells
from assay.metrics.model_pairs import LayerDistances, ModelPairMetric, layer_distances
from assay.results.records import grouped

# Explainer, baseline and explainer seed.
Named = tuple[str, str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two trials of one task and architecture.

    metrics: those that look at the pair. pool: where they look at several pairs as one, all of them, of which
    this is the first.
    """

    first: Trial
    second: Trial
    key: str
    metrics: tuple[ChosenMetric, ...] = ()
    pool: tuple[Pair, ...] = ()

    @property
    def members(self) -> tuple[Pair, ...]:
        """The pairs of two trials that this stands for."""
        return self.pool or (self,)

    @property
    def kind(self) -> str:
        """Trained, untrained or mixed; a pool of several kinds stands with the trained."""
        kinds = {pair.kind for pair in self.pool} or {self.first.kind, self.second.kind}
        if len(kinds) == 1:
            return kinds.pop()
        return "trained" if self.pool else "mixed"

    @property
    def seeds(self) -> str:
        return "pooled" if self.pool else f"{self.first.seed}-{self.second.seed}"

    @property
    def title(self) -> str:
        also = f" and {len(self.pool) - 1} more pairs" if len(self.pool) > 1 else ""
        return f"{self.first.title} against {self.second.title}{also}"


@dataclass(frozen=True, slots=True, eq=False)
class PairCell:
    """One metric of one explainer on the members of a pair; path: where its long table lies or will lie."""

    cells: tuple[tuple[Cell, Cell], ...]
    chosen: ChosenMetric
    path: Path

    @property
    def first(self) -> Cell:
        return self.cells[0][0]


def pairs(trials: Sequence[Trial], store: Store) -> list[Pair]:
    """The pairs of comparable trials, and pools of them, that a chosen metric looks at."""
    found: dict[tuple[int, str], Pair] = {}
    pools: list[Pair] = []
    # Two models have one key however their trials explain them (`targets`), so a key alone is no name here.
    for place, models in enumerate(_architectures(trials, store)):
        for chosen in next(iter(models.values())).choice.metrics:
            metric = chosen.metric
            if not isinstance(metric, ModelPairMetric):
                continue
            of_kinds = [kind for kind in pairs_by_kind(models, metric) if kind]
            if metric.pooled == "no":
                for pair in (pair for kind in of_kinds for pair in kind):
                    known = found.get((place, pair.key), pair)
                    found[place, pair.key] = Pair(pair.first, pair.second, pair.key, (*known.metrics, chosen))
            else:
                together = of_kinds if metric.pooled == "kind" else [list(chain.from_iterable(of_kinds))]
                pools += [_pool(members, chosen) for members in together if members]
    return [*found.values(), *pools]


def _architectures(trials: Sequence[Trial], store: Store) -> list[dict[str, Trial]]:
    """Trials that can be compared with each other, by their model's name; those whose models are known."""
    found: dict[str, dict[str, Trial]] = {}
    for trial in trials:
        card = read_card(trial, store)
        if card is not None:
            found.setdefault(architecture_key(trial), {})[trial.key(card["weights"])] = trial
    return list(found.values())


def pairs_by_kind(models: Mapping[str, Trial], metric: ModelPairMetric) -> Iterator[list[Pair]]:
    """The metric's pairs of trained models, of untrained ones, and of an untrained with a trained one."""
    trained, untrained = (
        [name for name, trial in models.items() if trial.kind == kind] for kind in ("trained", "untrained")
    )
    for firsts, seconds in ((trained, None), (untrained, None), (untrained, trained)):
        others = firsts if seconds is None else seconds
        chosen = metric.pairs(len(firsts), None if seconds is None else len(seconds))
        names = [(firsts[i], others[j]) for i, j in chosen]
        yield [Pair(models[one], models[other], key("pair", one, other)) for one, other in names]


def _pool(members: Sequence[Pair], chosen: ChosenMetric) -> Pair:
    first = members[0]
    name = key("pool", chosen.key, *(pair.key for pair in members))
    return Pair(first.first, first.second, name, (chosen,), tuple(members))


def pair_cells(pair: Pair, store: Store) -> Iterator[PairCell]:
    """The pair's metrics on every explainer whose cells of all its models are complete."""
    trials = {id(trial): trial for member in pair.members for trial in (member.first, member.second)}
    planned = {index: trial_cells(trial, store) for index, trial in trials.items()}
    done = {index: _done(of_trial, store) for index, of_trial in planned.items()}
    for chosen in pair.metrics:
        if any(
            of_trial is None or metric_incompatibility(chosen, trials[index], of_trial.capabilities)
            for index, of_trial in planned.items()
        ):
            continue
        for name in done[id(pair.first)]:
            if all(name in of_trial for of_trial in done.values()):
                both = tuple((done[id(m.first)][name], done[id(m.second)][name]) for m in pair.members)
                cell = key("pair cell", *(cell.key for two in both for cell in two))
                path = StoredPair(store.pair(pair.key)).scores(chosen.key, cell)
                yield PairCell(both, chosen, path)


def _done(planned: TrialCells | None, store: Store) -> dict[Named, Cell]:
    """A trial's complete cells by explainer, baseline and explainer seed."""
    return {
        (cell.method.explainer_name, cell.method.baseline_name, cell.explainer_seed): cell
        for cell in (planned.done(store) if planned else ())
    }


def run_pairs(trials: Sequence[Trial], store: Store) -> None:
    """Score every pair that is not scored yet; what fails goes to the ledger."""
    waiting = [pair for pair in pairs(trials, store) if _missing(pair, store)]
    of_key = grouped(waiting, lambda pair: pair.key)
    with tqdm(total=len(waiting), desc="pairs of models", unit="pair", disable=None) as bar:

        def advance(pair: Pair) -> bool:
            with acquire(store, pair.key, pair.title) as ours:
                if ours:
                    with record_failure(store, pair.key, pair.title, clear=False):
                        _run_pair(pair, _missing(pair, store), store)
                        others = (one for one in of_key[pair.key] if one is not pair)
                        if not any(_missing(one, store) for one in others):
                            clear_failure(store, pair.key)
                    bar.update()
            return ours

        run_until_done(waiting, advance)


def _missing(pair: Pair, store: Store) -> list[PairCell]:
    return [cell for cell in pair_cells(pair, store) if not _scored(cell, store)]


def _scored(cell: PairCell, store: Store) -> bool:
    """Whether there are scores, and of the cells as they are, which may have been made anew since."""
    if not cell.path.exists():
        return False
    made = _made_with(cell, store)
    return not made or (present(cell.path) and read_made_with(cell.path) == made)


def _made_with(cell: PairCell, store: Store) -> MadeWith:
    """What was trained for the explanations of all of its cells, which are complete."""
    method = cell.first.method
    if gates_of(method.explainer) is None and not has_masked_lm(method.baseline):
        return {}
    folders = [StoredCell(store.cell(one.key)) for one in chain.from_iterable(cell.cells)]
    return {
        f"{one.folder.name} {name}": weights
        for one in folders
        for part in one.parts()[:1]
        if present(part)
        for name, weights in read_made_with(part).items()
    }


def _run_pair(pair: Pair, todo: Sequence[PairCell], store: Store) -> None:
    tables: list[list[pd.DataFrame]] = [[] for _ in todo]
    for nth, member in enumerate(pair.members):
        first, second = load_model(member.first, store), load_model(member.second, store)
        ids, layers = _layer_distances(member, first, second, store)
        for cell, of_members in zip(todo, tables, strict=True):
            metric = cell.chosen.metric
            assert isinstance(metric, ModelPairMetric)
            near = dict(zip(ids, metric.activation_distance(layers).tolist(), strict=True))
            stored = zip(cell.cells[nth], (first, second), strict=True)
            shards = [StoredShards(store.cell(of_one.key), loaded) for of_one, loaded in stored]
            table = metric.score_pair(shards[0], shards[1], near)
            of_members.append(_named(table, member) if pair.pool else table)
    for cell, of_members in zip(todo, tables, strict=True):
        table = pa.Table.from_pandas(pd.concat(of_members, ignore_index=True), preserve_index=False)
        write_table(cell.path, named(table, _made_with(cell, store)))


def _named(table: pd.DataFrame, member: Pair) -> pd.DataFrame:
    """A pool's units are a pair's texts, so the pair is part of their name."""
    return table.assign(unit=f"{member.kind} {member.seeds}|" + table["unit"].astype(str))


def _layer_distances(
    pair: Pair, first: Loaded, second: Loaded, store: Store
) -> tuple[list[str], LayerDistances]:
    """The explained texts' ids and how far the two models are apart on them, from disk or asked now."""
    path = StoredPair(store.pair(pair.key)).distances
    if not present(path):
        test = pair.first.task.test
        layers = layer_distances(first.engine, second.engine, first.model.encode([e.texts for e in test]))
        columns = {
            f"{how} {name}": values[:, place]
            for how, values in (("absolute", layers.absolute), ("signed", layers.signed))
            for place, name in enumerate(layers.names)
        }
        write_table(path, pd.DataFrame({"example_id": [example.id for example in test], **columns}))
    table = read_table(path).to_pandas()
    absolute, signed = (table.filter(regex=f"^{how} ") for how in ("absolute", "signed"))
    names = tuple(str(column).removeprefix("signed ") for column in signed.columns)
    return table["example_id"].tolist(), LayerDistances(names, absolute.to_numpy(), signed.to_numpy())


def architecture_key(trial: Trial) -> str:
    """What two trials to compare must share: texts, swept settings, and the model but for being trained."""
    model = {name: value for name, value in trial.config.model.items() if name != "init_only"}
    return canonical([trial.explained, trial.task_name, trial.model_name, model])
