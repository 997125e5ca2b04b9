"""An experiment's name stands for the overrides of its last run, and what is missing says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.state.last_run import expanded, last_run
from assay.harness.storage.layout import Layout
from assay.harness.storage.locks import acquire
from assay.harness.storage.store import Store, write_json
from assay.tasks.errors import InputError

COMMAND = ["name=tiny", "task=planted", "seed=0,1", "store=elsewhere"]


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A store that remembers one run."""
    store = Store(tmp_path / "store")
    write_json(store.experiment("tiny") / "command.json", {"overrides": COMMAND})
    return store.root


def test_a_name_stands_for_the_overrides_of_the_last_run(known: Path) -> None:
    place = f"store={known}"
    run = [*COMMAND[:-1], place]
    for asks in (True, False):
        assert expanded(["tiny", place], asks=asks) == run
        assert expanded(["tiny", "seed=2", place], asks=asks) == [*run, "seed=2"]
    assert expanded(["name=tiny", place], asks=True) == run
    # A run of that name and no other settings is an experiment, too.
    assert expanded(["name=tiny", place], asks=False) == ["name=tiny", place]
    assert expanded(["name=tiny", "seed=2", place], asks=True) == ["name=tiny", "seed=2", place]
    assert expanded(["name=other", place], asks=True) == ["name=other", place]
    assert expanded(["~task", place], asks=True) == ["~task", place]


def test_what_was_set_of_an_entry_falls_away_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    place, command = f"store={store.root}", ["explainer=[lime,occlusion]", "explainer.lime.rows=40"]
    removal = ["baseline@removal=[mask]", "removal.mask.x=1", "metric.auprc.y=2", "explainer.occlusion.z=3"]
    write_json(store.experiment("tiny") / "command.json", {"overrides": [*command, *removal]})
    others = ["explainer=[occlusion]", "baseline@removal=[delete]", place]
    found = expanded(["tiny", *others], asks=True)
    assert found == [command[0], removal[0], *removal[2:], *others]
    kept = [*command, *removal, "explainer=[lime]", place]
    assert expanded(["tiny", *kept[-2:]], asks=True) == [one for one in kept if "occlusion.z" not in one]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["tinny"], "no experiment 'tinny' was run in .*; did you mean 'tiny'"),
        (["quickstart"], "it is a ready-made one: experiment=quickstart"),
        (["tiny", "other"], "'tiny' and 'other' are no overrides; expected KEY=VALUE, or one name"),
        (["a/b"], "expected a plain name"),
    ],
)
def test_a_name_that_is_not_known(given: list[str], sentence: str, known: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        expanded([*given, f"store={known}"], asks=True)


def test_without_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no experiment 'tiny' was run in 'assay-store'; it holds none"):
        expanded(["tiny"], asks=True)
    assert not list(tmp_path.iterdir())


def test_commands_take_the_name(
    store: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"store={store}"
    assert main(["status", *tiny, place]) == 0
    snapshots = [path.read_bytes() for path in store.glob("experiments/tiny/manifest-*")]
    said = capsys.readouterr().out
    for given in (["tiny"], ["name=tiny"]):
        assert main(["status", *given, place]) == 0
        assert capsys.readouterr().out == said
        assert main(["export", *given, "--to", str(tmp_path / "a.csv"), "--overwrite", place]) == 0
        assert main(["verify", *given, place]) == 0
        assert main(["plan", "tiny", place]) == 0
        assert main(["retry", *given, place]) == 0
        capsys.readouterr()
    assert main(["run", "tiny", place]) == 0
    assert main(["report", "name=tiny", place]) == 0
    # The snapshot is the same, and no second one was written.
    assert [path.read_bytes() for path in store.glob("experiments/tiny/manifest-*")] == snapshots


def test_other_overrides_of_a_known_name_are_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["name=tiny", "task=planted_counting", "explainer=[random]", "metric=[compute_time]"]
    assert main(["status", *command, f"store={store}"]) == 1
    assert "'tiny' was last run with other overrides" in capsys.readouterr().err


def test_what_is_missing_says_why(
    store: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third, *_ = sorted(path.parent for path in store.glob("cells/*/cell.json"))
    shutil.rmtree(first)
    next(iter(second.glob("scores/*.parquet"))).unlink()
    shutil.rmtree(third)
    (pair,) = store.glob("pairs/*")
    shutil.rmtree(pair)
    title = "planted_counting / maxpool / seed"
    command = ["export", "tiny", "--to", str(tmp_path / "a.csv"), f"store={store}"]
    with acquire(Store(store), f"{third.name}-00000", "at work"):
        assert main(command) == 1
    # The models of these few texts may be no better than a constant.
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning: " not in line]
    assert all(title in line for line in lines) and len(lines) == 4
    for reason in (
        "1 cell is missing",
        "): not run yet; run again",
        "explained, but not scored on",
        "another job is at work",
        "1 pair of models is missing",
    ):
        assert any(reason in line for line in lines), reason
    assert Layout(store).claims() == []


def test_what_reads_nothing_leaves_the_name_and_the_ledger_alone(store: Path, tiny: list[str]) -> None:
    before, nothing = last_run(Layout(store), "tiny"), ["task=local", "task.path=nowhere.csv"]
    ledger = set(store.glob("ledger/*"))
    assert main(["status", "name=tiny", *nothing, f"store={store}"]) == 1
    assert set(store.glob("ledger/*")) == ledger
    assert main(["run", "name=tiny", *nothing, f"store={store}"]) == 1
    assert last_run(Layout(store), "tiny") == before is not None
