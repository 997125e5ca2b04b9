"""Unfair terms of service, on a corpus of a few sentences."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.grouping import clusters
from assay.tasks.unfair_tos import unfair_tos

SENTENCES = ["Welcome.", "  We may end this at any time.", "The laws of Malta apply.", "Visit us.", "Bye."]
TAGS = ["", "ter3 ch2 ", "law1 countrym ", "", ""]
NAMES = [f"Shop{n}" for n in range(9)]
FEW: dict[str, Any] = {"dev_documents": 2, "test_documents": 3}


def _corpus(root: Path, tags: list[str] = TAGS, sentences: list[str] = SENTENCES) -> Path:
    for kind, lines in (("sentences", sentences), ("tags", tags)):
        folder = root / "corpus" / kind / "en" / "original"
        folder.mkdir(parents=True)
        for name in NAMES:
            (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (root / "corpus" / "lists").mkdir()
    (root / "corpus" / "lists" / "LIST_ALL.txt").write_text("".join(f"{name}.txt\n" for name in NAMES))
    (root / "README.md").write_text("The corpus.\n")
    return root


def _documents(examples: tuple[Example, ...]) -> set[str]:
    return {example.id.rpartition("-")[0] for example in examples}


def _splits(task: Task) -> list[tuple[Example, ...]]:
    return [task.train, task.dev, task.test]


def test_sentences_become_examples_with_or_without_labels(tmp_path: Path) -> None:
    task = unfair_tos(path=str(_corpus(tmp_path / "c")), **FEW)
    assert task.multi_label and len(task.labels) == 9
    assert all(example.group == example.id.rpartition("-")[0] for example in task.test)
    assert clusters(task.test).keys() == {example.id for example in task.test}
    first = [example for example in task.train if example.id.startswith(task.train[0].id[:5])]
    assert [example.texts[0] for example in first] == [sentence.strip() for sentence in SENTENCES]
    names = [{task.labels[label] for label in example.labels} for example in first]
    assert names == [set(), {"unilateral_termination", "unilateral_change"}, set(), set(), set()]


@pytest.mark.parametrize(
    ("degree", "expected"),
    [
        (1, {"unilateral_termination", "unilateral_change", "choice_of_law"}),
        (2, {"unilateral_termination", "unilateral_change"}),
        (3, {"unilateral_termination"}),
    ],
)
def test_the_degree_decides_what_is_unfair(tmp_path: Path, degree: int, expected: set[str]) -> None:
    task = unfair_tos(path=str(_corpus(tmp_path / "c")), min_degree=degree, **FEW)
    assert {task.labels[label] for example in task.test for label in example.labels} == expected


def test_documents_are_never_split_and_the_seed_chooses_them(tmp_path: Path) -> None:
    path = str(_corpus(tmp_path / "c"))
    parts = [_documents(split) for split in _splits(unfair_tos(path=path, **FEW))]
    assert [len(part) for part in parts] == [4, 2, 3]
    assert set.union(*parts) == set(NAMES)
    again, others = (
        [_documents(split) for split in _splits(unfair_tos(path=path, seed=s, **FEW))] for s in (0, 1)
    )
    assert again == parts != others


def test_a_share_of_the_sentences_without_a_label_stays(tmp_path: Path) -> None:
    path = str(_corpus(tmp_path / "c"))
    whole = unfair_tos(path=path, **FEW)
    fewer = unfair_tos(path=path, negatives=0.25, test_negatives=0.0, **FEW)
    assert sum(not example.labels for example in whole.train) == 16
    assert sum(not example.labels for example in fewer.train) == 4
    assert [e for e in fewer.train if e.labels] == [e for e in whole.train if e.labels]
    assert set(fewer.train) < set(whole.train) and fewer.dev == whole.dev
    assert all(example.labels for example in fewer.test)


def test_an_archive_is_read_as_the_folder_is(tmp_path: Path) -> None:
    folder = _corpus(tmp_path / "c")
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=".")
    assert unfair_tos(path=str(tmp_path / "c.tar.gz"), **FEW) == unfair_tos(path=str(folder), **FEW)


def test_a_document_without_any_tag_is_read(tmp_path: Path) -> None:
    task = unfair_tos(path=str(_corpus(tmp_path / "c", tags=[""] * 5)), **FEW)
    assert len(task.test) == 15 and not any(example.labels for example in task.test)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["", "tre3", "", "", ""], r"Shop\d\.txt, line 2: unknown tag 'tre3'; did you mean 'ter3'"),
        (["", "ter", "", "", ""], r"line 2: unknown tag 'ter'"),
        (["", "ter4", "", "", ""], r"line 2: unknown tag 'ter4'"),
        (TAGS[:-1], r"Shop\d\.txt has 5 sentences, but 4 lines of tags"),
    ],
)
def test_bad_tags_are_named(tmp_path: Path, tags: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        unfair_tos(path=str(_corpus(tmp_path / "c", tags=tags)), **FEW)


def test_a_sentence_without_words_is_named(tmp_path: Path) -> None:
    folder = _corpus(tmp_path / "c", sentences=[*SENTENCES[:3], "  ", "Bye."])
    with pytest.raises(InputError, match=r"Shop\d\.txt, line 4: .*has an empty text"):
        unfair_tos(path=str(folder), **FEW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_degree": 4}, "min_degree is 4; expected 1, 2 or 3"),
        ({"negatives": 1.5}, "negatives is 1.5; expected a share"),
        ({"test_negatives": -0.1}, "test_negatives is -0.1; expected a share"),
        ({"dev_documents": 5, "test_documents": 4}, "together fewer than the 9"),
        ({"dev_documents": 0}, "at least 1 each"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        unfair_tos(path=str(_corpus(tmp_path / "c")), **{**FEW, **options})


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set task\.path=<path> .*Unfair-Clause"):
        unfair_tos()
    folder = _corpus(tmp_path / "c")
    (folder / "corpus" / "tags" / "en" / "original" / "Shop4.txt").unlink()
    with pytest.raises(InputError, match=r"has no file corpus/tags/en/original/Shop4\.txt"):
        unfair_tos(path=str(folder), **FEW)
    listed = folder / "corpus" / "lists" / "LIST_ALL.txt"
    listed.write_text(listed.read_text().replace("Shop4", "../../Shop4"))
    with pytest.raises(InputError, match="unsafe"):
        unfair_tos(path=str(folder), **FEW)
    listed.write_text("Shop1.txt\nShop2.txt\n" * 3)
    with pytest.raises(InputError, match=r"LIST_ALL\.txt names a document twice"):
        unfair_tos(path=str(folder), **FEW)
    (folder / "README.md").unlink()
    with pytest.raises(InputError, match=r"has no file README\.md"):
        unfair_tos(path=str(folder), **FEW)
