"""Files read over processes are those read in this one, in order, and damage is seen there, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from assay.harness.reporting import score_files
from assay.harness.reporting.score_files import ScoreFile, SecondsFolder, read_scores, read_seconds
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Damaged, write_table
from assay.metrics.long_table import long
from assay.results.parallel import process_pool, serial_map
from assay.results.records import Group, Method

GROUP = Group("planted", "cnn")


def _files(folder: Path) -> list[ScoreFile]:
    files = []
    for at in range(7):
        path = folder / "cells" / str(at) / "scores" / "ap.parquet"
        table = long(["b", "a", "c"], {"ap": np.arange(3) + 10.0 * at})
        write_table(path, pa.Table.from_pandas(table, preserve_index=False))
        files.append(ScoreFile(path, GROUP, Method(f"explainer_{at}"), "agreement", "0", at))
    return files


def test_scores_are_the_same_over_processes_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_files, "AT_ONCE", 2)
    files = _files(tmp_path)
    with process_pool(2) as over:
        found = [read_scores(files, how) for how in (serial_map, over)]
    for scores in found:
        assert [(one.method, one.explainer_seed) for one in scores] == [
            (file.method, file.explainer_seed) for file in files
        ]
        assert {one.units for one in scores} == {("a", "b", "c")}
        for at, one in enumerate(scores):
            np.testing.assert_array_equal(one.parts["ap"][:, 0], [1 + 10 * at, 10 * at, 2 + 10 * at])


def test_seconds_are_over_all_parts_of_a_cell(tmp_path: Path) -> None:
    for part, seconds in enumerate(([0.1, 0.4], [0.2, 0.3, 0.5])):
        cell = StoredCell(tmp_path)
        write_table(cell.part(part), pa.table({"scores": seconds}))
        write_table(cell.seconds(part), pa.table({"seconds": seconds}))
    folder = SecondsFolder(StoredCell(tmp_path).seconds_folder, GROUP, Method("lime", "mask"), "1")
    (timing,) = read_seconds([folder], serial_map)
    assert (timing.texts, timing.median, timing.low, timing.high) == (5, 0.3, 0.2, 0.4)
    assert (timing.group, timing.method, timing.seed) == (GROUP, Method("lime", "mask"), "1")
    StoredCell(tmp_path).seconds(1).unlink()
    with pytest.raises(Damaged, match="is missing"):
        read_seconds([folder], serial_map)


def test_a_damaged_file_is_set_aside_by_another_process_and_told_here(tmp_path: Path) -> None:
    files = _files(tmp_path)
    files[5].path.write_bytes(files[5].path.read_bytes()[:-3])
    with process_pool(2) as over, pytest.raises(Damaged, match=r"ap.parquet is damaged and was renamed"):
        read_scores(files, over)
    assert not files[5].path.exists()
