"""GoEmotions, on a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.tasks.errors import InputError
from assay.tasks.goemotions import goemotions

LINES = ['So "good\t0\ta1', "meh, whatever\t2\ta2", "I'm glad and scared\t1,0\ta3"]


def _write(folder: Path, train: list[str] | None = None, labels: str = "joy\nfear\nneutral") -> str:
    for split in ("train", "dev", "test"):
        lines = train if train is not None and split == "train" else LINES
        (folder / f"{split}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
    return str(folder)


def test_lines_become_examples_with_all_their_labels(tmp_path: Path) -> None:
    task = goemotions(path=_write(tmp_path))
    assert task.multi_label and task.labels == ("joy", "fear", "neutral")
    assert [example.id for example in task.dev] == ["a1", "a2", "a3"]
    assert task.train[0].texts == ('So "good',)
    assert [example.labels for example in task.test] == [(0,), (2,), (0, 1)]


def test_a_comment_without_a_label_is_kept(tmp_path: Path) -> None:
    assert goemotions(path=_write(tmp_path, [*LINES, "hm\t\ta4"])).train[3].labels == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (" \t0\ta4", r"train\.tsv, line 4: column 'text' holds no text"),
        (
            "fine\t3\ta4",
            r"train\.tsv, line 4: label 3 is out of range; expected 0 to 2 \(joy, fear, neutral\)",
        ),
        ("fine\tjoyy\ta4", r"train\.tsv, line 4: unknown label 'joyy'; did you mean 'joy'"),
        ("fine\t0\ta1", "train: the id 'a1' occurs twice"),
        ("fine\t0\t", r"train\.tsv, line 4: column 'id' is empty"),
        ("fine\t0", r"train\.tsv, line 4 has 2 fields; expected 3 \(text, labels, id\)"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        goemotions(path=_write(tmp_path, [*LINES, line]))


@pytest.mark.parametrize("labels", ["joy\nfear\njoy", "joy\n\nfear"])
def test_labels_are_named_once(tmp_path: Path, labels: str) -> None:
    with pytest.raises(InputError, match=r"labels\.txt holds an empty line or a name twice"):
        goemotions(path=_write(tmp_path, labels=labels))


def test_missing_and_undecodable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set task\.path=<path> .*goemotions"):
        goemotions()
    path = _write(tmp_path)
    (tmp_path / "dev.tsv").write_bytes(b"fine\t0\ta1\nna\xefve\t0\ta2\n")
    with pytest.raises(InputError, match=r"dev\.tsv, line 2: the byte 0xef is not UTF-8"):
        goemotions(path=path)
    (tmp_path / "dev.tsv").unlink()
    with pytest.raises(InputError, match=r"there is no file .*dev\.tsv"):
        goemotions(path=path)
