"""Whatever stands in the place of a stored file: told in one sentence, no other number, mended by a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.harness.cli import main
from assay.harness.storage.store import Store, read_json
from assay.harness.upkeep.verify import verify

Harm = Callable[[Path], object]


def _text(content: str) -> Harm:
    return lambda path: path.write_text(content, encoding="utf-8")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("1")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all")


HARMS: dict[str, Harm] = {
    "a list": _text("[1, 2]"),
    "a number": _text("5"),
    "a text": _text('"x"'),
    "an object without keys": _text("{}"),
    "an empty file": _text(""),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "too deep": _text("[" * 100_000),
    "a folder": _folder,
    "a link to nothing": _dangling,
}
# Every kind of file that a run reads again.
FILES = {
    "cell record": "cells/*/cell.json",
    "explanations": "cells/*/explanations/part-00001.parquet",
    "seconds": "cells/*/seconds/part-00001.parquet",
    "scores": "cells/*/scores/faithfulness-*.parquet",
    "trial record": "trials/*/trial.json",
    "predictions": "trials/*/predictions.parquet",
    "card": "models/*/card.json",
    "description": "models/*/model.json",
    "vocabulary": "models/*/vocabulary.json",
    "weights": "models/*/weights.safetensors",
    "training report": "models/*/training.json",
    "distances": "pairs/*/layer_distances.parquet",
    "pair scores": "pairs/*/scores/*.parquet",
    "report record": "experiments/tiny/report.json",
    "command": "experiments/tiny/command.json",
    "snapshot": "experiments/tiny/manifest-*.json",
}
# The others are slow tests: every file with one harm, every harm with a record and a table.
USUAL_HARM, USUAL_FILES = "a folder", ("cell record", "scores")
# Those that commands are tried with too, beside `assay verify`.
COMMANDED = ("a list", "a folder")


@pytest.fixture(scope="module")
def planned(finished: Path, tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished store, with the snapshot of its plan."""
    store = tmp_path_factory.mktemp("planned") / "store"
    shutil.copytree(finished, store)
    assert main(["status", *tiny, f"store={store}"]) == 0
    return store


def _copy(planned: Path, folder: Path) -> Path:
    return Path(shutil.copytree(planned, folder / "store"))


def _sentence(said: str, path: Path) -> None:
    assert "Traceback" not in said and "Errno" not in said and "Error:" not in said, (path, said)


def _cases() -> list[Any]:
    return [
        pytest.param(kind, harm, marks=() if harm == USUAL_HARM or kind in USUAL_FILES else pytest.mark.slow)
        for kind in FILES
        for harm in HARMS
    ]


@pytest.mark.parametrize(("kind", "harm"), _cases())
def test_it_is_found_and_told_in_a_sentence(
    kind: str, harm: str, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = _copy(planned, tmp_path)
    path = min(store.glob(FILES[kind]))
    HARMS[harm](path)
    faults = [fault for fault in verify(Store(store)) if fault.aside]
    places = {place for fault in faults for place in (fault.path, *fault.aside)}
    assert places & {path, path.parent}, "verify does not see it"
    for command in ("status", "export") if harm in COMMANDED else ():
        options = ["--to", str(tmp_path / "scores.csv"), "--overwrite"] if command == "export" else []
        assert main([command, "name=tiny", *options, f"store={store}"]) in (0, 1)
        _sentence(capsys.readouterr().err, path)


def _bytes(store: Path) -> dict[str, bytes]:
    patterns = (
        "cells/*/explanations/*",
        "cells/*/scores/*",
        "pairs/*/**/*",
        "trials/*/*",
        "models/*/*.safe*",
    )
    paths = (path for pattern in patterns for path in store.glob(pattern) if path.is_file())
    return {str(path.relative_to(store)): path.read_bytes() for path in paths if ".damaged" not in str(path)}


@pytest.mark.parametrize("repair", [False, True], ids=["run", "repair"])
@pytest.mark.parametrize(
    "harm",
    ["a folder", *(pytest.param(harm, marks=pytest.mark.slow) for harm in ("a list", "a link to nothing"))],
)
def test_the_next_run_computes_it_as_it_was(
    harm: str,
    repair: bool,
    planned: Path,
    finished: Path,
    tmp_path: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = _copy(planned, tmp_path)
    for place, pattern in enumerate(FILES.values()):
        found = sorted(store.glob(pattern))
        HARMS[harm](found[place % len(found)])
    if repair:
        assert main(["verify", f"store={store}", "--repair"]) == 1
    assert main(["run", *tiny, f"store={store}"]) == 0
    _sentence(capsys.readouterr().err, store)
    assert _bytes(store) == _bytes(finished)
    main(["verify", f"store={store}", "--repair"])
    assert main(["verify", f"store={store}"]) == 0
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert _bytes(store) == _bytes(finished)


@pytest.mark.parametrize("lost", ["seconds", "explanations", "scores", "."])
def test_a_lost_folder_is_told_and_computed_anew(
    lost: str, store: Path, finished: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cell = min(store.glob("cells/*"))
    shutil.rmtree(cell / lost)
    assert main(["report", "tiny", f"store={store}"]) == 1
    said = capsys.readouterr().err
    _sentence(said, cell)
    assert "missing" in said
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert main(["verify", f"store={store}"]) == 0
    assert _bytes(store) == _bytes(finished)
    assert len(list((cell / "seconds").iterdir())) == 3


@pytest.mark.parametrize(
    "place", ["cells/*", "cells/*/explanations", "cells/*/seconds", "trials/*", "models/*"]
)
def test_a_file_in_the_place_of_a_folder(
    place: str, store: Path, finished: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = min(store.glob(place))
    shutil.rmtree(folder)
    folder.write_text("{}")
    assert main(["verify", f"store={store}"]) == 1
    assert main(["run", *tiny, f"store={store}"]) == 0
    _sentence(capsys.readouterr().err, folder)
    assert _bytes(store) == _bytes(finished)


def test_a_part_of_a_report_that_a_folder_is_in_the_way_of(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = store / "experiments" / "tiny" / "report.html"
    _folder(page)
    assert main(["report", *tiny, f"store={store}"]) == 1
    said = capsys.readouterr().err
    assert "report.html" in said and "move it away" in said and said.count("\n") == 1


def test_lost_tables_are_written_again(store: Path, tiny: list[str]) -> None:
    table = store / "experiments" / "tiny" / "comparison.txt"
    before = table.read_bytes()
    table.unlink()
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert table.read_bytes() == before


def test_a_record_is_an_object(tmp_path: Path) -> None:
    path = tmp_path / "trials" / "ab" / "trial.json"
    path.parent.mkdir(parents=True)
    path.write_text("[1]")
    assert read_json(path) is None and not path.exists()
