"""Every way to break a store is seen, and mended by --repair and the next run; a whole one is left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.harness.cli import main
from assay.harness.storage.store import Store, write_table
from assay.harness.upkeep.verify import verify

Break = Callable[[Path], Path]


def _one(store: Path, pattern: str) -> Path:
    return min(store.glob(pattern))


def _flipped(pattern: str) -> Break:
    """One bit of a file is another."""

    def harm(store: Path) -> Path:
        path = _one(store, pattern)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return path

    return harm


def _torn(pattern: str) -> Break:
    """The end of a file is missing."""

    def harm(store: Path) -> Path:
        path = _one(store, pattern)
        path.write_bytes(path.read_bytes()[:-7])
        return path

    return harm


def _gone(pattern: str) -> Break:
    def harm(store: Path) -> Path:
        path = _one(store, pattern)
        path.unlink()
        return path

    return harm


def _changed(pattern: str, change: Callable[[pa.Table], pa.Table]) -> Break:
    """A file with other content, and a seal that fits it."""

    def harm(store: Path) -> Path:
        path = _one(store, pattern)
        write_table(path, change(pq.read_table(path)))
        return path

    return harm


def _told(pattern: str, change: Callable[[dict[str, Any]], object]) -> Break:
    """A record that tells something else."""

    def harm(store: Path) -> Path:
        path = _one(store, pattern)
        record = json.loads(path.read_text(encoding="utf-8"))
        change(record)
        path.write_text(json.dumps(record), encoding="utf-8")
        return path

    return harm


def _doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(2, 1)])


def _not_finite(table: pa.Table) -> pa.Table:
    lists = table["scores"].to_pylist()
    lists[0][0] = float("nan")
    place = table.column_names.index("scores")
    return table.set_column(
        place, table.schema.field("scores"), pa.array(lists, table.schema.field("scores").type)
    )


def _shorter(table: pa.Table) -> pa.Table:
    lists = [one[:-1] for one in table["scores"].to_pylist()]
    place = table.column_names.index("scores")
    return table.set_column(
        place, table.schema.field("scores"), pa.array(lists, table.schema.field("scores").type)
    )


def _swapped(store: Path) -> Path:
    path = _one(store, "cells/*/explanations/part-00001.parquet")
    shutil.copyfile(path.with_name("part-00000.parquet"), path)
    return path


def _one_more(store: Path) -> Path:
    path = _one(store, "cells/*/explanations/part-00002.parquet")
    return Path(shutil.copyfile(path, path.with_name("part-00003.parquet")))


def _unsealed(store: Path) -> Path:
    path = _one(store, "cells/*/seconds/part-00000.parquet")
    pq.write_table(pq.read_table(path), path)
    return path


def _failed(store: Path) -> Path:
    path = store / "ledger" / "abc.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"title": "half of')
    return path


PART = "cells/*/explanations/part-00001.parquet"
SCORES = "cells/*/scores/faithfulness-*.parquet"
BREAKS: dict[str, Break] = {
    "a part with another bit": _flipped(PART),
    "a torn part": _torn(PART),
    "a part that is gone": _gone(PART),
    "a part with an explanation twice": _changed(PART, _doubled),
    "a part without one explanation": _changed(PART, lambda table: table.slice(1)),
    "a part without a column": _changed(PART, lambda table: table.drop_columns(["tokens_read"])),
    "a part of an older layout": _changed(PART, lambda table: table.replace_schema_metadata(None)),
    "a part with a score that is no number": _changed(PART, _not_finite),
    "a part with fewer scores than tokens": _changed(PART, _shorter),
    "a part with the texts of another": _swapped,
    "a part too many": _one_more,
    "times without a seal": _unsealed,
    "times that are gone": _gone("cells/*/seconds/part-00002.parquet"),
    "times of other texts": _changed("cells/*/seconds/part-00002.parquet", lambda table: table.slice(1)),
    "scores with another bit": _flipped(SCORES),
    "scores with a value twice": _changed(SCORES, _doubled),
    "scores with other columns": _changed(SCORES, lambda table: table.drop_columns(["part"])),
    "a torn cell.json": _torn("cells/*/cell.json"),
    "a cell.json without weights": _told("cells/*/cell.json", lambda record: record.pop("weights")),
    "a cell of other weights": _told("cells/*/cell.json", lambda record: record.update(weights="0" * 64)),
    "a cell of other texts": _told("cells/*/cell.json", lambda record: record.update(explained="0" * 64)),
    "a cell of another seed": _told("cells/*/cell.json", lambda record: record.update(explainer_seed=7)),
    "a cell of another method": _told("cells/*/cell.json", lambda record: record.update(explainer="lime")),
    "a cell of other settings": _told("cells/*/cell.json", lambda record: record["config"].update(shard=9)),
    "a cell of another model": _told("cells/*/cell.json", lambda record: record.update(model="bert")),
    "a torn trial.json": _torn("trials/*/trial.json"),
    "a trial of other texts": _told("trials/*/trial.json", lambda record: record.update(explained="0" * 64)),
    "a trial of other weights": _told("trials/*/trial.json", lambda record: record.update(weights="0" * 64)),
    "predictions with another bit": _flipped("trials/*/predictions.parquet"),
    "predictions that are gone": _gone("trials/*/predictions.parquet"),
    "predictions with a text twice": _changed("trials/*/predictions.parquet", _doubled),
    "a card of other weights": _told("models/*/card.json", lambda record: record.update(weights="0" * 64)),
    "a torn card": _torn("models/*/card.json"),
    "weights with another bit": _flipped("models/*/weights.safetensors"),
    "a torn model.json": _torn("models/*/model.json"),
    "a torn training.json": _torn("models/*/training.json"),
    "distances with another bit": _flipped("pairs/*/layer_distances.parquet"),
    "distances with a text twice": _changed("pairs/*/layer_distances.parquet", _doubled),
    "a torn score of a pair": _torn("pairs/*/scores/*.parquet"),
    "a torn failure": _failed,
    "a torn record of a report": _torn("experiments/tiny/report.json"),
}


@pytest.mark.parametrize("harm", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_store_is_seen_to_be_broken(store: Path, harm: Break) -> None:
    broken = harm(store)
    found = [fault for fault in verify(Store(store)) if fault.aside]
    assert {fault.path for fault in found} & {broken, broken.parent}
    assert all(path.is_relative_to(store) for fault in found for path in fault.aside)


def _bytes(store: Path) -> dict[str, bytes]:
    kept = [
        *store.glob("cells/*/explanations/*"),
        *store.glob("cells/*/scores/*"),
        *store.glob("pairs/*/**/*"),
    ]
    kept += [*store.glob("trials/*/*"), *store.glob("models/*/weights.safetensors")]
    kept = [path for path in kept if path.is_file() and ".damaged" not in str(path)]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


def test_a_whole_store_shows_no_fault_and_stays_as_it_is(
    finished: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}

    assert list(verify(Store(finished))) == []
    main(["status", *tiny, f"store={finished}"])
    before = files()
    assert main(["verify", f"store={finished}", "--repair"]) == 0
    assert main(["verify", *tiny, f"store={finished}"]) == 0
    assert files() == before
    assert capsys.readouterr().out.count("No fault found") == 2


def test_a_shard_that_is_missing_makes_no_other_one_foreign(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the trial's texts cannot be told, because its own record is damaged."""
    for trial in store.glob("trials/*"):
        _torn("trial.json")(trial)
    gone = [_gone("explanations/part-00000.parquet")(cell) for cell in store.glob("cells/*")]
    assert main(["verify", *tiny, f"store={store}"]) == 1
    out = capsys.readouterr().out
    assert all(f"{path.relative_to(store)} is missing" in out for path in gone)
    assert "not explained here" not in out


def test_what_repair_sets_aside_the_next_run_computes_as_it_was(
    finished: Path, store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cells = sorted(path.name for path in store.glob("cells/*"))
    harms = {
        f"cells/{cells[0]}/explanations/part-00001.parquet": _flipped,
        f"cells/{cells[1]}/explanations/part-00000.parquet": _gone,
        f"cells/{cells[2]}/seconds/part-00001.parquet": _torn,
        f"cells/{cells[3]}/cell.json": _torn,
        f"cells/{cells[4]}/scores/faithfulness-*.parquet": _flipped,
        "trials/*/predictions.parquet": _flipped,
        "models/*/weights.safetensors": _flipped,
        "pairs/*/layer_distances.parquet": _torn,
        "pairs/*/scores/*.parquet": _flipped,
    }
    broken = [harm(pattern)(store) for pattern, harm in harms.items()]
    broken.append(_told(f"cells/{cells[5]}/cell.json", lambda record: record.update(explainer_seed=7))(store))
    assert main(["verify", *tiny, f"store={store}"]) == 1
    out = capsys.readouterr().out
    assert all(str(path.relative_to(store)) in out or path.parent.name in out for path in broken)
    assert f"{len(broken)} faults; --repair sets them aside" in out
    assert main(["verify", *tiny, f"store={store}", "--repair"]) == 1
    assert main(["verify", *tiny, f"store={store}"]) == 0
    assert main(["run", *tiny, f"store={store}"]) == 0
    assert main(["verify", f"store={store}"]) == 0
    assert _bytes(store) == _bytes(finished)


def test_of_one_experiment_only_its_own_files_are_checked(store: Path, tiny: list[str]) -> None:
    narrow = [*(o for o in tiny if not o.startswith("seed")), "seed=0", f"store={store}"]
    records = {path: json.loads(path.read_text(encoding="utf-8")) for path in store.glob("cells/*/cell.json")}
    other = next(path for path, record in records.items() if record["seed"] == 1)
    other.write_text("{")
    assert main(["verify", *narrow]) == 0
    assert main(["verify", *tiny, f"store={store}"]) == 1


def test_a_cell_whose_model_is_gone_is_told_but_is_no_fault(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(_one(store, "models/*"))
    shutil.rmtree(_one(store, "models/*"))
    assert main(["verify", f"store={store}"]) == 0
    assert "8 cells could not be traced" in capsys.readouterr().out


def test_an_unfinished_cell_is_no_fault_but_its_parts_must_be_whole(store: Path) -> None:
    told = _one(store, "cells/*/cell.json")
    told.unlink()
    (told.parent / "explanations" / "part-00002.parquet").unlink()
    assert list(verify(Store(store))) == []
    _flipped(f"cells/{told.parent.name}/explanations/part-00000.parquet")(store)
    assert [fault.path.name for fault in verify(Store(store))] == ["part-00000.parquet"]


def test_a_store_that_does_not_exist_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", f"store={tmp_path / 'typo'}"]) == 1
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
