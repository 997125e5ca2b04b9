"""The ERASER layout, in a folder and in an archive."""

from __future__ import annotations

import io
import json
import logging
import tarfile
from pathlib import Path
from typing import Any

import pytest

from assay.tasks.archive import reader
from assay.tasks.eraser import eraser
from assay.tasks.errors import InputError
from assay.tasks.grouping import clusters, remarks

DOCUMENT = "the plot is thin\nbut  the end , oh , was\tgrand ."


def _annotation(id: str, doc: str = "a.txt", **changes: Any) -> dict[str, Any]:
    evidence = {"docid": doc, "start_token": 3, "end_token": 7, "text": "thin but the end"}
    return {
        "annotation_id": id,
        "classification": "NEG" if id.endswith("0") else "POS",
        "evidences": [[evidence], [{"docid": doc, "start_token": 11, "end_token": 12, "text": "grand"}]],
        "query": "is it good?",
        "docids": None,
        **changes,
    }


def _folder(root: Path, **splits: list[dict[str, Any]]) -> Path:
    (root / "docs").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (root / "docs" / name).write_text(DOCUMENT)
    for split, rows in {"train": [], "val": [], "test": [], **splits}.items():
        rows = rows or [_annotation(f"{split}0"), _annotation(f"{split}1")]
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def _archive(folder: Path, file: Path) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, arcname="movies")
    return file


def test_evidence_becomes_characters(tmp_path: Path) -> None:
    task = eraser(path=str(_folder(tmp_path / "movies")))
    assert task.labels == ("NEG", "POS")
    example = task.train[1]
    assert (example.id, example.labels, example.texts) == ("train1", (1,), (DOCUMENT,))
    (rationale,) = example.rationales
    assert [DOCUMENT[span.start : span.end] for span in rationale.spans] == ["thin\nbut  the end", "grand"]


@pytest.mark.parametrize(
    ("classes", "labels", "expected"),
    [
        (("False", "True"), [True, False], ("True", "False")),
        (("0", "1"), [1, 0], ("1", "0")),
        (("level 10", "level 9"), None, ("level 9", "level 10")),
    ],
)
def test_labels_are_names_whatever_yaml_reads(
    tmp_path: Path, classes: tuple[str, str], labels: list[Any] | None, expected: tuple[str, ...]
) -> None:
    splits = {
        split: [_annotation(f"{split}{n}", classification=classes[n]) for n in (0, 1)]
        for split in ("train", "val", "test")
    }
    task = eraser(path=str(_folder(tmp_path / "boolq", **splits)), labels=labels)
    assert task.labels == expected
    assert [task.labels[example.labels[0]] for example in task.test] == list(classes)


def test_an_archive_is_read_as_the_folder_is(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "movies")
    archive = _archive(folder, tmp_path / "movies.tar.gz")
    assert eraser(path=str(archive)) == eraser(path=str(folder))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["movies", "movies.tar.gz"]


def test_pairs_put_the_query_first(tmp_path: Path) -> None:
    example = eraser(path=str(_folder(tmp_path / "fever")), pair=True).test[0]
    assert example.texts == ("is it good?", DOCUMENT)
    assert {span.segment for span in example.rationales[0].spans} == {1}


def test_without_evidence_the_annotation_names_its_document(tmp_path: Path) -> None:
    rows = [_annotation("b.txt", evidences=[], classification="NEG"), _annotation("x1")]
    task = eraser(path=str(_folder(tmp_path / "movies", test=rows)))
    assert (task.test[0].texts, task.test[0].rationales) == ((DOCUMENT,), ())


def test_evidence_of_no_token_is_passed_over(tmp_path: Path) -> None:
    nothing = {"docid": "a.txt", "start_token": 2, "end_token": 2, "text": ""}
    task = eraser(path=str(_folder(tmp_path / "movies", test=[_annotation("x0", evidences=[[nothing]])])))
    assert task.test[0].rationales == ()


@pytest.mark.parametrize(
    "change",
    [
        {"text": "thin but the and"},
        {"start_token": 2},
        {"end_token": 99},
        {"start_token": -1},
        {"text": None},
    ],
)
def test_evidence_that_does_not_match_names_the_annotation(tmp_path: Path, change: dict[str, Any]) -> None:
    evidence = {"docid": "a.txt", "start_token": 3, "end_token": 7, "text": "thin but the end", **change}
    folder = _folder(tmp_path / "movies", test=[_annotation("odd0", evidences=[[evidence]])])
    with pytest.raises(InputError, match=r"test\.jsonl, line 1: annotation 'odd0' has the evidence"):
        eraser(path=str(folder))


def test_missing_documents_are_an_error_or_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = _folder(tmp_path / "fever", test=[_annotation("t0"), _annotation("t1", doc="gone")])
    with pytest.raises(InputError, match=r"'t1' needs the document 'gone'.*task\.missing_documents=skip"):
        eraser(path=str(folder))
    with caplog.at_level(logging.WARNING):
        assert len(eraser(path=str(folder), missing_documents="skip").test) == 1
    assert "1 example(s) left out" in caplog.text


def test_train_can_come_from_dev_without_sharing_documents(tmp_path: Path) -> None:
    documents = ["a.txt", "b.txt", "c.txt", "d.txt"]
    rows = [_annotation(f"v{n}-{n % 2}", doc=documents[n % 4]) for n in range(12)]
    folder = _folder(tmp_path / "fever", val=rows)
    (folder / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"no train\.jsonl and task\.train_from_dev is None"):
        eraser(path=str(folder))
    task = eraser(path=str(folder), train_from_dev=0.5)
    assert (len(task.train), len(task.dev)) == (6, 6)
    quarter = [{int(e.id[1:].split("-")[0]) % 4 for e in split} for split in (task.train, task.dev)]
    assert not quarter[0] & quarter[1]
    splits = {
        tuple(e.id for e in eraser(path=str(folder), train_from_dev=0.5, seed=s).train) for s in range(8)
    }
    assert len(splits) > 1


def test_train_from_dev_is_refused_where_train_exists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has a train\.jsonl"):
        eraser(path=str(_folder(tmp_path / "movies")), train_from_dev=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classification": "GOOD"}, "unknown label 'GOOD'"),
        ({"docids": ["a.txt", "b.txt"]}, "2 documents"),
        ({"evidences": [["x"]]}, "lists of groups"),
        ({"evidences": [], "docids": ["../test.jsonl"]}, "unsafe"),
        ({"evidences": [], "docids": ["/etc/passwd"]}, "needs the document .*/etc/passwd"),
    ],
)
def test_broken_annotations_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = _folder(tmp_path / "movies", test=[_annotation("t0", **change)])
    with pytest.raises(InputError, match=message):
        eraser(path=str(folder), labels=["NEG", "POS"])


def test_an_empty_query_of_a_pair_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "fever", test=[_annotation("t0", query=" ")])
    with pytest.raises(InputError, match=r"test\.jsonl, line 1: example 't0' has an empty text"):
        eraser(path=str(folder), pair=True)


def test_settings_and_places_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set task\.path=<path>"):
        eraser()
    wrong: Any = "skp"
    with pytest.raises(InputError, match="did you mean 'skip'"):
        eraser(path=str(tmp_path), missing_documents=wrong)
    with pytest.raises(InputError, match=r"has no file test\.jsonl"):
        eraser(path=str(tmp_path))


def _tar(file: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return file


def _member(name: str, **fields: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = 1
    for field, value in fields.items():
        setattr(member, field, value)
    return member


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (_member("../evil"), "unsafe"),
        (_member("/evil"), "unsafe"),
        (_member("a/../../evil"), "unsafe"),
        (_member("link", size=0, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link or device"),
        (_member("harmless"), r"no file test\.jsonl"),
    ],
)
def test_unsafe_archives_are_refused(tmp_path: Path, member: tarfile.TarInfo, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reader(_tar(tmp_path / "x.tar.gz", member), marker="test.jsonl")


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    whole = _archive(_folder(tmp_path / "movies"), tmp_path / "movies.tar.gz").read_bytes()
    for data in (b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "broken.tar.gz").write_bytes(data)
        with pytest.raises(InputError, match="cannot be read as a tar archive"):
            reader(tmp_path / "broken.tar.gz", marker="test.jsonl")


def test_a_folder_that_holds_the_archive_names_it(tmp_path: Path) -> None:
    _archive(_folder(tmp_path / "movies"), tmp_path / "data.tar.gz")
    (tmp_path / "SOURCE.txt").write_text("from there")
    with pytest.raises(InputError, match=r"set task\.path to the archive .*data\.tar\.gz$"):
        reader(tmp_path, marker="test.jsonl")
    with pytest.raises(InputError, match=r"set task\.path to the folder that holds it$"):
        reader(tmp_path / "movies" / "docs", marker="test.jsonl")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "movies")
    (tmp_path / "secret").write_text("secret")
    (folder / "docs" / "way").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out of the folder"):
        reader(folder, marker="test.jsonl")("docs/way")


def _with_listed_documents(root: Path, documents: list[dict[str, Any]], **splits: Any) -> Path:
    """A folder with docs.jsonl in place of docs/."""
    folder = _folder(root, **splits)
    for file in (folder / "docs").iterdir():
        file.unlink()
    (folder / "docs").rmdir()
    (folder / "docs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    return folder


def test_documents_may_stand_in_one_file(tmp_path: Path) -> None:
    listed = _with_listed_documents(tmp_path / "one", [{"docid": "a.txt", "document": DOCUMENT}])
    assert eraser(path=str(listed)) == eraser(path=str(_folder(tmp_path / "many")))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"docid": "a.txt", "document": "another text"}, "line 2: a second document has the docid 'a.txt'"),
        ({"docid": "b.txt", "document": ["a", "list"]}, r"line 2: document 'b.txt' holds no text \(\['a'"),
        ({"docid": "b.txt", "document": " "}, "line 2: document 'b.txt' holds no text"),
        ({"docid": "b.txt", "text": "x"}, "line 2 has no column 'document'; .*available"),
    ],
)
def test_a_listed_document_is_read_or_refused(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    documents = [{"docid": "a.txt", "document": DOCUMENT}, more]
    with pytest.raises(InputError, match=rf"docs\.jsonl, {message}"):
        eraser(path=str(_with_listed_documents(tmp_path / "one", documents)))


def test_documents_in_two_places_are_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "both")
    (folder / "docs.jsonl").write_text(json.dumps({"docid": "a.txt", "document": "other"}) + "\n")
    with pytest.raises(InputError, match=r"holds docs/a\.txt and docs\.jsonl; expected one of both"):
        eraser(path=str(folder))


def test_a_document_is_the_group_of_its_examples(tmp_path: Path) -> None:
    rows = [_annotation("x0", doc="a.txt"), _annotation("x1", doc="b.txt"), _annotation("y1", doc="a.txt")]
    task = eraser(path=str(_folder(tmp_path / "movies", train=rows)))
    assert [example.group for example in task.train] == ["a.txt", "b.txt", "a.txt"]
    assert clusters(task.train) == {"x0": "a.txt", "y1": "a.txt"}
    assert "2 of 2 test texts are also in train or dev" in remarks(task)


def test_groups_of_evidence_are_kept_and_their_union_is_the_rationale(tmp_path: Path) -> None:
    """As rationale_benchmark/metrics.py flattens the groups before it compares."""
    one = {"docid": "a.txt", "start_token": 3, "end_token": 7, "text": "thin but the end"}
    two = {"docid": "a.txt", "start_token": 6, "end_token": 8, "text": ["end", ","]}
    three = {"docid": "a.txt", "start_token": 11, "end_token": 12, "text": "grand"}
    rows = [
        _annotation("x0", evidences=[[one], [three, two], [one]]),
        _annotation("x1", evidences=[[one, three]]),
    ]
    several, single = eraser(path=str(_folder(tmp_path / "movies", test=rows))).test
    (rationale,) = several.rationales
    marked = [[DOCUMENT[span.start : span.end] for span in group] for group in rationale.alternatives]
    assert marked == [["thin\nbut  the end"], ["end ,", "grand"]]
    assert set(rationale.spans) == {span for group in rationale.alternatives for span in group}
    assert [len(r.spans) for r in single.rationales] == [2] and not single.rationales[0].alternatives


@pytest.mark.parametrize(
    ("queries", "options", "texts"),
    [
        (("one", "one"), {}, (DOCUMENT,)),
        (("one", "two"), {}, ("one", DOCUMENT)),
        (("one", "two"), {"query": "second"}, (DOCUMENT, "one")),
        (("one", "two"), {"pair": False}, (DOCUMENT,)),
        (("one", "one"), {"pair": True, "query": "second"}, (DOCUMENT, "one")),
        ((None, None), {}, (DOCUMENT,)),
    ],
)
def test_queries_that_differ_make_pairs(
    tmp_path: Path, queries: tuple[str | None, ...], options: dict[str, Any], texts: tuple[str, ...]
) -> None:
    splits = {
        split: [_annotation(f"{split}{n}", query=queries[n]) for n in (0, 1)]
        for split in ("train", "val", "test")
    }
    example = eraser(path=str(_folder(tmp_path / "multirc", **splits)), **options).test[0]
    assert example.texts == texts
    (segment,) = {span.segment for span in example.rationales[0].spans}
    assert example.texts[segment] == DOCUMENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classification": None}, r"test\.jsonl, line 1: the classification is None; expected the name"),
        ({"classification": ["NEG"]}, r"test\.jsonl, line 1: the classification is \['NEG'\]"),
        ({"query": ["is", "it"]}, r"test\.jsonl, line 1: the query is \['is', 'it'\]; expected a text"),
    ],
)
def test_labels_and_queries_are_texts(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        eraser(path=str(_folder(tmp_path / "movies", test=[_annotation("t0", **change)])))
