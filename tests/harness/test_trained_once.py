"""What was trained is trained again only where its own files were harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.harness.storage.store import ReadOnly, StoreFull
from assay.harness.trials.trained_once import read_or_retrain
from assay.tasks.errors import InputError


@pytest.mark.parametrize("error", [StoreFull("no space left"), ReadOnly("read-only")])
def test_a_full_or_read_only_store_leaves_what_was_trained_where_it_is(
    error: InputError, tmp_path: Path
) -> None:
    folder, asked = tmp_path / "model", []
    folder.mkdir()
    (folder / "weights").write_text("whole")

    def ready() -> str:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        read_or_retrain(folder, ready)
    assert (folder / "weights").read_text() == "whole" and len(asked) == 1


def test_harmed_files_are_set_aside_and_trained_again_once(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()

    def ready() -> str:
        if folder.exists():
            raise InputError("weights are torn")
        return "trained again"

    assert read_or_retrain(folder, ready) == "trained again"
    assert not folder.exists() and len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_trained_is_tried_once(tmp_path: Path) -> None:
    asked = []

    def ready() -> str:
        asked.append(1)
        raise InputError("no texts")

    with pytest.raises(InputError, match="no texts"):
        read_or_retrain(tmp_path / "model", ready)
    assert len(asked) == 1
