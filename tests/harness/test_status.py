"""Status counts what is there; retry does what failed, and nothing else."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from assay.harness.cli import main
from assay.harness.config.compose import Sweep
from assay.harness.state.eta import remaining
from assay.harness.state.retry import narrowed
from assay.harness.state.status import (
    Planned,
    PlannedCell,
    PlannedPair,
    PlannedTrial,
    State,
    StoreState,
    survey,
)
from assay.harness.state.status_text import AXES, counts_by
from assay.harness.state.store_state import model_remarks
from assay.harness.storage.layout import StoredTrial
from assay.harness.storage.ledger import Failure
from assay.harness.storage.locks import acquire
from assay.harness.storage.store import Store, write_json

NO_FAILURE = Failure("a", "b", "")


def _planned(tasks: int = 2, models: int = 2, seeds: int = 3) -> Planned:
    trials = []
    for task, model, seed in product(range(tasks), range(models), range(seeds)):
        name = f"{task}.{model}.{seed}"
        cells = tuple(
            PlannedCell(
                f"{name}.{explainer}.{baseline}", explainer, baseline, 0, ("a-1.parquet", "b-2.parquet"), 2
            )
            for explainer, baseline in product(("lime", "occlusion"), ("mask", "delete"))
        )
        trials.append(
            PlannedTrial(name, f"task {task}", f"model {model}", seed, f"whole {name}", name, cells)
        )
    return Planned(tuple(trials), (PlannedPair("pair", "a pair", ("x.parquet",)),))


@pytest.mark.parametrize("seed", range(5))
def test_counts_by_axis_are_those_of_brute_force(seed: int) -> None:
    draw, planned = random.Random(seed), _planned()
    cells = [(trial, cell) for trial in planned.trials for cell in trial.cells]
    explained = {cell.key for _, cell in cells if draw.random() < 0.7}
    scores = {cell.key: {name for name in cell.scores if draw.random() < 0.8} for _, cell in cells}
    failed = {cell.key for _, cell in cells if draw.random() < 0.3}
    whole = {trial.ledger for trial in planned.trials if draw.random() < 0.2}
    claimed = {cell.key for _, cell in cells if draw.random() < 0.3}
    failures = {name: [NO_FAILURE] for name in failed | whole}
    found = survey(planned, StoreState(explained, scores, failures, claimed))

    def expected(trial: PlannedTrial, cell: PlannedCell) -> State:
        if cell.key in explained and len(scores[cell.key]) == 2:
            return State.done
        if cell.key in claimed:
            return State.running
        return State.failed if cell.key in failed or trial.ledger in whole else State.missing

    brute = {
        "task": lambda trial, cell: trial.task,
        "model": lambda trial, cell: trial.model,
        "seed": lambda trial, cell: str(trial.seed),
        "explainer": lambda trial, cell: cell.explainer,
        "baseline": lambda trial, cell: cell.baseline,
        "explainer seed": lambda trial, cell: "0",
    }
    assert brute.keys() == AXES.keys()
    for axis, value in brute.items():
        wanted: dict[str, Counter[State]] = {}
        for trial, cell in cells:
            wanted.setdefault(value(trial, cell), Counter())[expected(trial, cell)] += 1
        assert counts_by(found.cells, AXES[axis]) == wanted
    for state in found.cells:
        missing = set(state.cell.scores) - scores[state.cell.key]
        assert set(state.lacking) == ({name[0] for name in missing} if state.cell.key in explained else set())


def test_all_is_done_only_when_pairs_and_unreadable_trials_are() -> None:
    planned = _planned(1, 1, 1)
    scores = {cell.key: set(cell.scores) for trial in planned.trials for cell in trial.cells}
    assert not survey(planned, StoreState(set(scores), scores, {})).done
    everything = StoreState(set(scores), {**scores, "pair": {"x.parquet"}}, {})
    assert survey(planned, everything).done
    unread = PlannedTrial("unread", "task", "model", 0, "whole unread", None)
    also = Planned((*planned.trials, unread), planned.pairs)
    assert not survey(also, everything).done


def test_narrowing_a_sweep_keeps_every_wanted_trial_and_no_needless_value() -> None:
    sweep = Sweep(("a=1",), {"task": ("x", "y"), "model": ("m", "n", "o"), "seed": ("0", "1", "2", "3")})
    every = sweep.trials()
    for seed in range(20):
        wanted = random.Random(seed).sample(range(len(every)), 1 + seed % 4)
        less = narrowed(sweep, wanted)
        assert list(less.axes) == list(sweep.axes)
        assert [every[place] for place in wanted] == [
            t for p in wanted for t in less.trials() if t == every[p]
        ]
        for place, (_, values) in enumerate(less.axes.items(), start=1):
            assert {value.rpartition("=")[2] for value in (every[at][place] for at in wanted)} == set(values)


def test_a_failed_metric_is_shown_as_such(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cell = min(store.glob("cells/*"))
    next(cell.glob("scores/faithfulness-*")).unlink()
    entry = {"title": "the trial / the cell", "sentence": "ZeroDivisionError: on purpose", "traceback": ""}
    (store / "ledger").mkdir(exist_ok=True)
    (store / "ledger" / f"{cell.name}.json").write_text(json.dumps(entry))
    assert main(["status", *tiny, f"store={store}"]) == 1
    out = capsys.readouterr().out
    assert "7 of 8 cells done, 1 failed" in out
    assert "explained, but without  cells" in out
    assert "faithfulness                1" in out
    assert "failed: the trial / the cell\n  ZeroDivisionError: on purpose" in out
    assert "left" not in out.splitlines()[1]


def test_a_cell_with_a_living_claim_is_running_and_one_with_a_dead_one_is_not(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Of two methods, so that finished cells tell the time of both.
    records = [(json.loads((cell / "cell.json").read_text()), cell) for cell in store.glob("cells/*")]
    first, second = list({record["explainer"]: cell for record, cell in records}.values())[:2]
    for cell in (first, second):
        (cell / "cell.json").unlink()
    dead = store / "claims" / f"{second.name}-00000.json"
    dead.parent.mkdir(exist_ok=True)
    claim = {"place": "elsewhere", "host": "h", "process": 1, "started": "", "title": "t", "token": "x"}
    dead.write_text(json.dumps(claim))
    os.utime(dead, (0, 0))
    with acquire(Store(store), f"{first.name}-00001", "a long cell"):
        assert main(["status", *tiny, f"store={store}"]) == 1
        out = capsys.readouterr().out
    assert "6 of 8 cells done, 1 running, 1 missing" in out
    assert "At work: 1 job, at a long cell" in out
    assert " left, training not counted" in out
    assert main(["status", *tiny, f"store={store}"]) == 1
    out = capsys.readouterr().out
    assert "6 of 8 cells done, 2 missing" in out
    assert "At work" not in out
    assert "training not counted" not in out


def _finish(store: Store, cell: PlannedCell, explaining: float, stamps: list[float]) -> None:
    """Leave the files of a cell whose shards took so long, and whose record and scores came at `stamps`."""
    folder = store.cell(cell.key)
    for name in ("seconds", "scores"):
        (folder / name).mkdir(parents=True)
    for part in range(cell.parts):
        table = pd.DataFrame({"seconds": [explaining / cell.parts / 4] * 4})
        table.to_parquet(folder / "seconds" / f"part-{part:05d}.parquet")
    files = [folder / "cell.json", *(folder / "scores" / name for name in cell.scores)]
    for file, stamp in zip(files, stamps, strict=True):
        file.touch()
        os.utime(file, (stamp, stamp))


def test_the_time_left_is_that_of_equal_cells_shared_by_the_jobs_at_work(tmp_path: Path) -> None:
    store, planned = Store(tmp_path), _planned(1, 1, 2)
    first, second = planned.trials
    seconds = {("lime", "mask"): 100.0, ("lime", "delete"): 50.0, ("occlusion", "mask"): 10.0}
    done = [cell for cell in first.cells if (cell.explainer, cell.baseline) in seconds]
    for cell in done:
        # A minute's scoring; then somebody wanted the other metric, three days later.
        _finish(store, cell, seconds[cell.explainer, cell.baseline], [1000.0, 1060.0, 260_000.0])
    disk = StoreState({c.key for c in done}, {c.key: set(c.scores) for c in done}, {}, {second.cells[0].key})
    found = survey(planned, disk)
    assert remaining(found, store, 0) is None
    left = remaining(found, store, 2)
    assert left is not None
    assert left.unknown == 2  # occlusion (delete), which nobody has finished yet
    assert left.seconds == pytest.approx((160 + 110 + 70) / 2)
    # One of the two shards of the longest cell is there; scoring counts as one more shard.
    parts = store.cell(second.cells[0].key) / "explanations"
    parts.mkdir(parents=True)
    pq.write_table(
        pq.read_table(store.cell(done[0].key) / "seconds" / "part-00000.parquet"),
        parts / "part-00000.parquet",
    )
    left = remaining(found, store, 2)
    assert left is not None
    assert left.seconds == pytest.approx((160 * 2 / 3 + 110 + 70) / 2)
    left = remaining(found, store, 50)
    assert left is not None
    assert left.seconds == pytest.approx(110)
    nothing = survey(planned, StoreState((), {}, {}))
    assert remaining(nothing, store, 2) is None


def test_retry_does_what_failed_and_leaves_what_is_missing(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    records = {path.parent: json.loads(path.read_text()) for path in sorted(store.glob("cells/*/cell.json"))}
    of_first = [cell for cell, record in records.items() if record["seed"] == 0]
    of_second = next(cell for cell, record in records.items() if record["seed"] == 1)
    failed, missing = of_first[0], [of_first[1], of_second]
    for cell in (failed, *missing):
        (cell / "cell.json").unlink()
        for file in cell.glob("explanations/*"):
            file.unlink()
    entry = {"title": "the failed cell", "sentence": "MemoryError: on purpose", "traceback": ""}
    (store / "ledger").mkdir(exist_ok=True)
    (store / "ledger" / f"{failed.name}.json").write_text(json.dumps(entry))
    assert main(["retry", *tiny, f"store={store}"]) == 1
    said = capsys.readouterr()
    assert "Trying 1 again:\n  the failed cell\n    MemoryError: on purpose" in said.out
    assert "2 cells are missing" in said.err
    assert (failed / "cell.json").exists()
    assert not any((cell / "cell.json").exists() for cell in missing)
    assert not list(store.glob("ledger/*"))
    assert main(["run", *tiny, f"store={store}"]) == 0
    capsys.readouterr()
    assert main(["retry", *tiny, f"store={store}"]) == 0
    assert "Nothing has failed" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [[], ["shards_per_job=1"]], ids=["whole", "in portions"])
def test_retry_of_a_trial_that_failed_as_a_whole_does_all_of_it(
    cut: list[str],
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_one = [override for override in tiny if not override.startswith("seed")]
    overrides = [*of_one, "seed=0", "shard=4", *cut, f"store={tmp_path}"]

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no training today")

    monkeypatch.setattr("assay.harness.trials.trial.fit", fail)
    assert main(["run", *overrides]) == 1
    capsys.readouterr()
    assert main(["status", *overrides]) == 1
    assert "0 of 4 cells done, 4 failed" in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["retry", *overrides]) == 0
    assert "no training today" in capsys.readouterr().out
    assert main(["status", *overrides]) == 0


def test_seeds_that_give_one_model_are_said(tmp_path: Path) -> None:
    store, trials = Store(tmp_path), []
    for number, unknown in enumerate(_planned(tasks=1, models=2, seeds=3).trials):
        trials.append(trial := replace(unknown, record=f"{number}"))
        # Of the first model seeds 0 and 2 are alike, of the other none.
        weights = f"{trial.model}{number % 2 if trial.model == 'model 0' else number}"
        record = {"task": trial.task, "model": trial.model, "seed": trial.seed, "weights": weights}
        path = StoredTrial(store.trial(f"{number}")).record
        write_json(path, record)
    assert model_remarks(store, Planned(tuple(trials))) == [
        "task 0 / model 0: seeds 0, 2 have the same weights, so they are one model that counts as 2; give "
        "one of them"
    ]
