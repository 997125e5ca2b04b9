"""Clean takes away what is of no use, and nothing that a run, a reader or another place needs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.explainers.perturbation.occlusion import Occlusion
from assay.harness.cli import main
from assay.harness.storage.locks import acquire
from assay.harness.storage.store import Store
from assay.models.engine import Engine

HOUR = 3600.0


def _files(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file() or path.is_symlink()}


def _aged(path: Path, hours: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"half a fi")
    stamp = time.time() - hours * HOUR
    os.utime(path, (stamp, stamp))
    return path


@pytest.fixture
def no_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the model was asked")

    for method in ("logits", "gradients", "activations", "probabilities"):
        monkeypatch.setattr(Engine, method, refuse)


def _garbage(store: Path) -> Iterator[Path]:
    cell, model = min(store.glob("cells/*")), min(store.glob("models/*"))
    yield _aged(cell / "explanations" / ".part-00000.parquet.0a1b.part", 25)
    yield _aged(store / "ledger" / ".abc.json.0a1b.part", 25)
    scratch = store / "models" / f".{model.name}.x7y8z9"
    _aged(scratch / "weights.safetensors", 25)
    yield _aged(scratch, 25) / "weights.safetensors"
    yield _aged(cell / "scores" / "faithfulness-0.parquet.damaged", 0)
    yield _aged(store / "models" / f"{model.name}.damaged" / "model.json", 0)
    claim = store / "claims" / "abc-00001.json"
    yield _aged(claim, 1)


def test_garbage_goes_and_a_run_afterwards_computes_nothing(
    store: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
    no_model_is_asked: None,
) -> None:
    before = _files(store)
    garbage = {str(path.relative_to(store)) for path in _garbage(store)}
    young = _aged(min(store.glob("cells/*")) / "scores" / ".young.parquet.0a1b.part", 23)
    assert main(["clean", f"store={store}"]) == 0
    out = capsys.readouterr().out
    assert f"Nothing was removed; --yes removes {len(garbage)} files or folders" in out
    assert _files(store) == before | garbage | {str(young.relative_to(store))}
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert f"Removed {len(garbage)} files or folders" in capsys.readouterr().out
    assert _files(store) == before | {str(young.relative_to(store))}
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert "Nothing to remove" in capsys.readouterr().out
    assert main(["run", *tiny, f"store={store}"]) == 0


def test_the_claim_of_a_living_job_stays(store: Path) -> None:
    with acquire(Store(store), "abc-00001", "something long") as ours:
        assert ours
        assert main(["clean", f"store={store}", "--yes"]) == 0
        assert (store / "claims" / "abc-00001.json").exists()


def test_cells_of_an_older_method_go_with_their_failures_and_no_others(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {path.parent: json.loads(path.read_text()) for path in store.glob("cells/*/cell.json")}
    old = {cell for cell, record in records.items() if record["explainer"] == "occlusion"}
    assert 0 < len(old) < len(records)
    failure = {"title": "t", "sentence": "s", "traceback": ""}
    (store / "ledger").mkdir(exist_ok=True)
    for cell in records:
        (store / "ledger" / f"{cell.name}.json").write_text(json.dumps(failure))
    monkeypatch.setattr(Occlusion, "version", Occlusion.version + 1)
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert set(store.glob("cells/*")) == set(records) - old
    assert {path.stem for path in store.glob("ledger/*")} == {cell.name for cell in set(records) - old}


def test_all_trials_and_cells_of_an_older_layout_go(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.harness.config.keys.STORE_VERSION", 99)
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert not [*store.glob("cells/*"), *store.glob("trials/*")]
    assert len(list(store.glob("models/*"))) == 2


def test_a_cell_of_which_nothing_can_be_told_stays(store: Path) -> None:
    for model in store.glob("models/*"):
        shutil.rmtree(model)
    (min(store.glob("cells/*")) / "cell.json").unlink()
    before = _files(store)
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert _files(store) == before


def test_failures_of_cells_that_are_done_by_now_go(store: Path, tiny: list[str]) -> None:
    done, undone = sorted(store.glob("cells/*"))[:2]
    (undone / "cell.json").unlink()
    (store / "ledger").mkdir(exist_ok=True)
    for cell in (done, undone):
        entry = {"title": "t", "sentence": "s", "traceback": ""}
        (store / "ledger" / f"{cell.name}.json").write_text(json.dumps(entry))
    assert main(["clean", *tiny, f"store={store}", "--yes"]) == 0
    assert [path.stem for path in store.glob("ledger/*.json")] == [undone.name]


def test_links_are_not_followed(store: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    _aged(outside / ".x.parquet.0a.part", 48)
    _aged(outside / "x.damaged", 48)
    shutil.copytree(store / "cells", outside / "cells")
    kept = _files(outside)
    shutil.rmtree(store / "pairs")
    (store / "pairs").symlink_to(outside)
    (store / "cells" / "link.damaged").symlink_to(outside)
    (min(store.glob("cells/*")) / "scores" / "more").symlink_to(outside)
    assert main(["clean", f"store={store}", "--yes", "--unused-by", "experiment=quickstart"]) == 0
    assert _files(outside) == kept
    assert (store / "cells" / "link.damaged").is_symlink()


def test_what_given_experiments_do_not_use_goes_and_they_compute_nothing_anew(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = ("name=", "seed=", "explainer=")
    other = [
        *(o for o in tiny if not o.startswith(changed)),
        "name=other",
        "seed=1,2",
        "explainer=[occlusion]",
    ]
    assert main(["run", *other, f"store={store}"]) == 0
    before = _files(store)
    both = ["--unused-by", " ".join(tiny), "--unused-by", " ".join(other)]
    capsys.readouterr()
    assert main(["clean", f"store={store}", "--yes", *both]) == 0
    assert "Nothing to remove" in capsys.readouterr().out
    assert main(["clean", f"store={store}", *both[:2]]) == 0
    assert _files(store) == before
    assert main(["clean", f"store={store}", "--yes", *both[:2]]) == 0
    # Of seed 2: a model, a trial, two cells; and the pair of seeds 1 and 2.
    counts = {kind: len(list(store.glob(f"{kind}/*"))) for kind in ("models", "trials", "cells", "pairs")}
    assert counts == {"models": 2, "trials": 2, "cells": 8, "pairs": 1}
    assert {path.name for path in store.glob("experiments/*")} == {"tiny", "other"}

    def refuse(*_: object) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(Engine, "logits", refuse)
    monkeypatch.setattr(Engine, "probabilities", refuse)
    assert main(["run", *tiny, f"store={store}"]) == 0


def test_cells_of_a_model_that_is_to_be_trained_again_stay(store: Path, tiny: list[str]) -> None:
    for model in store.glob("models/*"):
        shutil.rmtree(model)
    assert main(["clean", f"store={store}", "--yes", "--unused-by", " ".join(tiny)]) == 0
    assert len(list(store.glob("cells/*"))) == 8
    assert len(list(store.glob("trials/*"))) == 2


def test_nothing_unused_goes_while_jobs_are_at_work(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(store)
    with acquire(Store(store), "abc-00001", "something long"):
        assert main(["clean", f"store={store}", "--yes", "--unused-by", "experiment=quickstart"]) == 1
    assert "jobs are at work" in capsys.readouterr().err
    assert _files(store) == before


def test_nothing_unused_goes_when_an_experiment_cannot_be_read(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(store)
    unreadable = "task=local task.path=nowhere model=linear"
    assert main(["clean", f"store={store}", "--yes", "--unused-by", unreadable]) == 1
    assert "cannot be read, so what they use is not known" in capsys.readouterr().err
    assert {name for name in _files(store) if not name.startswith("ledger")} == before
