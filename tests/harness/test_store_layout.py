"""One module names the files of a store; a mark tells its version; a file that was exchanged is not used."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.storage.layout import StoredCell, role
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.trial import read_trial
from assay.harness.upkeep.verify import verify

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / "harness" / "storage" / "layout.py"
FLOORS = ("tasks", "models", "explainers", "metrics", "results", "harness")
# A file's name anywhere, and a folder's name where it is joined to a path or stands in a pattern.
FILE = re.compile(
    r"(^|/)(cell|trial|card|training|report|store)\.json$|(predictions|layer_distances)\.parquet|part-|manifest-"
    r"|(^|\*/)(cells|models|trials|pairs|ledger|claims|experiments|explanations|scores|seconds)/|\.damaged$"
)
FOLDER = re.compile(
    "cells|models|trials|pairs|ledger|claims|experiments|calibrations|explanations|scores|seconds"
)


def names_of_the_store(source: str) -> list[str]:
    """The texts in a source that name a file or a folder of the store; docstrings do not count."""
    nodes = list(ast.walk(ast.parse(source)))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    joined = {
        id(node.right) for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    }
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docs
        and (FILE.search(node.value) or (id(node) in joined and FOLDER.fullmatch(node.value)))
    ]


def test_no_other_module_names_files_of_the_store() -> None:
    sources = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if path != LAYOUT]
    found = {str(path.relative_to(ROOT)): names_of_the_store(path.read_text("utf-8")) for path in sources}
    assert {path: names for path, names in found.items() if names} == {}
    assert len(names_of_the_store(LAYOUT.read_text("utf-8"))) > 8, "the test sees the names where they are"


@pytest.mark.parametrize(
    "source",
    [
        'p / "cell.json"',
        'p.glob("part-*.parquet")',
        'f"part-{n}.parquet"',
        'p.glob("cells/*/cell.json")',
        'root / "ledger"',
    ],
)
def test_a_name_elsewhere_is_noticed(source: str) -> None:
    assert names_of_the_store(source)


def _older(folder: Path) -> None:
    (folder / "cells" / "ab").mkdir(parents=True)


def _lower(folder: Path) -> None:
    (folder / "store.json").write_text('{"version": 2}')


def _unreadable(folder: Path) -> None:
    (folder / "store.json").write_text('{"versi')


@pytest.mark.parametrize("make", [_older, _lower, _unreadable])
@pytest.mark.parametrize("command", ["run", "plan", "status", "report", "verify", "clean", "retry"])
def test_every_command_refuses_an_older_store_in_one_sentence(
    make: Callable[[Path], None],
    command: str,
    tmp_path: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([command, *tiny, f"store={tmp_path}"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and "store=" in error.lower(), error
    assert sorted(tmp_path.rglob("*")) == before


def test_a_new_store_gets_a_mark_also_beside_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    store = Store(tmp_path)
    assert json.loads(store.mark.read_text())["version"] == 3
    Store(tmp_path)
    (tmp_path / "new").mkdir()
    Store(tmp_path / "new" / "deeper")
    assert (tmp_path / "new" / "deeper" / "store.json").is_file()


@pytest.mark.parametrize("command", [["clean", "--yes"], ["verify", "--repair"]])
def test_a_folder_without_the_mark_is_left_alone(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.damaged").write_text("a file of somebody else")
    assert main([*command, f"store={tmp_path}"]) == 1
    assert "is no store of this version (it has no store.json)" in capsys.readouterr().err
    assert (tmp_path / "mine" / "model.damaged").exists() and not (tmp_path / "store.json").exists()


def test_clean_leaves_folders_alone_that_are_not_the_stores(store: Path) -> None:
    own = store / "mine" / "model.damaged"
    own.parent.mkdir()
    own.write_text("a file of somebody else")
    assert main(["clean", f"store={store}", "--yes"]) == 0
    assert own.exists()


def test_a_role_is_the_place_in_the_store() -> None:
    assert role(Path("/x/models/store/cells/ab/cell.json")) == "cells/ab/cell.json"
    assert role(StoredCell(Path("s/cells/ab")).part(3)) == "cells/ab/explanations/part-00003.parquet"
    assert role(Path("/tmp/table.parquet")) == ""


def _exchange(one: Path, other: Path) -> None:
    """Two whole files of the store, each under the other's name."""
    kept = one.read_bytes()
    shutil.copyfile(other, one)
    other.write_bytes(kept)


@pytest.mark.parametrize(
    "pattern",
    [
        "cells/*/explanations/part-00001.parquet",
        "cells/*/seconds/part-00001.parquet",
        "cells/*/scores/faithfulness-*.parquet",
        "trials/*/predictions.parquet",
        "cells/*/cell.json",
        "trials/*/trial.json",
        "models/*/card.json",
        "models/*/training.json",
    ],
)
def test_exchanged_files_are_found(store: Path, pattern: str) -> None:
    one, other = sorted(store.glob(pattern))[:2]
    _exchange(one, other)
    places = {path for fault in verify(Store(store)) for path in (fault.path, *fault.aside)}
    for path in (one, other):
        assert path in places or path.parent in places


def test_exchanged_scores_are_computed_anew(store: Path, finished: Path, tiny: list[str]) -> None:
    one, other = sorted(store.glob("cells/*/scores/faithfulness-*.parquet"))[:2]
    _exchange(one, other)
    (store / "experiments" / "tiny" / "report.json").unlink()
    assert main(["run", *tiny, f"store={store}"]) == 0
    for path in (one, other):
        assert path.read_bytes() == (finished / path.relative_to(store)).read_bytes()


@pytest.mark.parametrize("lost", [["card.json"], []], ids=["without cards", "with cards"])
def test_exchanged_models_are_found_and_trained_anew(
    lost: list[str], store: Path, finished: Path, tiny: list[str]
) -> None:
    one, other = sorted(store.glob("models/*"))
    for name in ("model.json", "vocabulary.json", "weights.safetensors"):
        _exchange(one / name, other / name)
    for folder in (one, other):
        for name in lost:
            (folder / name).unlink()
    faults = {fault.path for fault in verify(Store(store)) if fault.aside}
    assert faults == {one, other}
    for record in store.glob("cells/*/cell.json"):
        record.unlink()
    assert main(["run", *tiny, f"store={store}"]) == 0
    for folder in (one, other):
        weights = folder / "weights.safetensors"
        assert weights.read_bytes() == (finished / weights.relative_to(store)).read_bytes()
    assert {path.name for path in store.glob("cells/*")} == {path.name for path in finished.glob("cells/*")}


def _edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def test_an_edited_quality_is_found_and_never_used(store: Path, tiny: list[str]) -> None:
    trial = load_trials(open_experiment([*tiny, f"store={store}"]))[0]
    before = read_trial(trial, Store(store))
    assert before is not None
    paths = list(store.glob("trials/*/trial.json"))
    for path in paths:
        _edit(path, lambda record: record.update(macro_f1=0.999))
    assert {fault.path for fault in verify(Store(store))} == set(paths)
    assert read_trial(trial, Store(store)) is None
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert read_trial(trial, Store(store)) == before


def test_a_record_without_its_checksum_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "trials" / "ab" / "trial.json"
    write_json(path, {"macro_f1": 0.5})
    assert read_json(path) == {"macro_f1": 0.5}
    _edit(path, lambda record: record.pop("checksum"))
    assert read_json(path) is None and not path.exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vocabulary.json", lambda text: json.dumps(json.loads(text)[::-1])),
        ("model.json", lambda text: text.replace('"multi_label": false', '"multi_label": true')),
    ],
)
def test_an_altered_model_is_found_and_trained_anew(
    name: str, change: Callable[[str], str], store: Path, tiny: list[str]
) -> None:
    path = min(store.glob(f"models/*/{name}"))
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    assert [fault.path for fault in verify(Store(store)) if fault.aside] == [path.parent]
    for record in store.glob("cells/*/cell.json"):
        record.unlink()
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert path.read_text(encoding="utf-8") == before
    assert path.parent.with_name(f"{path.parent.name}.damaged").is_dir()
