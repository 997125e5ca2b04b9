"""e-SNLI's marked sentences."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.tasks.errors import InputError
from assay.tasks.esnli import _marked_words, esnli
from assay.tasks.example import Example
from assay.tasks.grouping import clusters, remarks

ROW = {
    "pairID": "1.jpg#0e",
    "gold_label": "entailment",
    "Sentence1": 'Two dogs  run "fast", outside.',
    "Sentence2": "Dogs run.",
    "Explanation_1": "unread",
    "Sentence1_marked_1": " Two *dogs* *run* 'fast', outside.",
    "Sentence2_marked_1": "Dogs *run.*",
    "Sentence1_marked_2": "Two dogs run 'fast', outside.",
    "Sentence2_marked_2": "*Dogs* run.",
    "Sentence1_marked_3": "Two dogs run 'fast', outside.",
    "Sentence2_marked_3": "Dogs run.",
}


def _write(file: Path, *rows: dict[str, Any]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = {key: value for key, value in ROW.items() if not key.endswith(("_2", "_3"))}
    _write(tmp_path / "esnli_train_1.csv", first)
    _write(tmp_path / "esnli_train_2.csv", {**first, "pairID": "2.jpg#0e", "gold_label": "neutral"})
    _write(tmp_path / "esnli_dev.csv", ROW)
    _write(tmp_path / "esnli_test.csv", ROW)
    return tmp_path


def _marked(example: Example, annotator: str) -> list[str]:
    (rationale,) = [r for r in example.rationales if r.annotator == annotator]
    return [example.texts[span.segment][span.start : span.end] for span in rationale.spans]


def test_every_annotator_s_words_are_found(folder: Path) -> None:
    task = esnli(path=str(folder))
    assert task.labels == ("contradiction", "neutral", "entailment")
    assert [example.id for example in task.train] == ["1.jpg#0e", "2.jpg#0e"]
    assert [example.labels for example in task.train] == [(2,), (1,)]
    example = task.test[0]
    assert example.texts == (ROW["Sentence1"], ROW["Sentence2"])
    assert [rationale.annotator for rationale in example.rationales] == ["1", "2"]
    assert _marked(example, "1") == ["dogs", "run", "run."]
    assert _marked(example, "2") == ["Dogs"]
    assert [rationale.annotator for rationale in task.train[0].rationales] == ["1"]
    assert all(e.group == e.texts[0].strip() for e in (*task.train, *task.dev, *task.test))


@pytest.mark.parametrize(
    ("sentence", "marked", "words"),
    [
        ("a * b", "a * b", []),
        ("a * b", "a *** b", ["*"]),
        ("**** off", "**** *off*", ["off"]),
        ("a* *b c*d", "*a** *b c*d", ["a*"]),
        ("it is *so* good", "it is *so* *good*", ["good"]),
        ("it is *so* good", "it is **so** good", ["*so*"]),
        ('"go"', "*'go'*", ['"go"']),
        ("été là", "été *là*", ["là"]),
    ],
)
def test_stars_of_the_sentence_are_no_marks(
    folder: Path, sentence: str, marked: str, words: list[str]
) -> None:
    quiet = {f"Sentence{side}_marked_{n}": "" for side in (1, 2) for n in (2, 3)}
    sides = {"Sentence2": sentence, "Sentence2_marked_1": marked}
    _write(folder / "esnli_test.csv", {**ROW, **quiet, **sides, "Sentence1_marked_1": ROW["Sentence1"]})
    example = esnli(path=str(folder)).test[0]
    assert ([] if not example.rationales else _marked(example, "1")) == words


@given(
    st.lists(st.tuples(st.text('ab*"', min_size=1, max_size=4), st.booleans(), st.sampled_from([" ", "  "])))
)
def test_any_choice_of_marks_is_recovered(words: list[tuple[str, bool, str]]) -> None:
    sentence = "".join(word + gap for word, _, gap in words)
    marked = " ".join(f"*{word}*" if mark else word for word, mark, _ in words).replace('"', "'")
    spans = _marked_words(sentence, marked, segment=1)
    assert [sentence[span.start : span.end] for span in spans] == [word for word, mark, _ in words if mark]
    assert all(span.segment == 1 for span in spans)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Sentence2_marked_1": "Dogs *ran.*"}, r"'\*ran\.\*' where the sentence has 'run\.'"),
        ({"Sentence2_marked_2": "Dogs *run."}, r"'\*run\.' where"),
        ({"Sentence2_marked_1": "Dogs"}, "1 words; expected 2"),
        ({"Sentence2_marked_1": "Dogs *run .*"}, "3 words; expected 2"),
        ({"Sentence2_marked_3": ""}, "0 words; expected 2"),
        ({"gold_label": "-"}, "unknown gold_label '-'"),
        (
            {"Sentence1": " ", "Sentence1_marked_1": "", "Sentence1_marked_2": "", "Sentence1_marked_3": ""},
            "empty text",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_named_or_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture, change: dict[str, str], message: str
) -> None:
    _write(folder / "esnli_test.csv", ROW, {**ROW, "pairID": "9.jpg#1c", **change})
    with pytest.raises(InputError, match=message) as caught:
        esnli(path=str(folder))
    assert "esnli_test.csv, line 3, pairID '9.jpg#1c'" in str(caught.value)
    with caplog.at_level(logging.WARNING):
        assert len(esnli(path=str(folder), bad_rows="skip").test) == 1
    assert "1 row(s) left out" in caplog.text


def test_pairs_of_one_premise_hang_together(folder: Path) -> None:
    others = [{**ROW, "pairID": "1.jpg#0n"}, {**ROW, "pairID": "2.jpg#1e", "Sentence1": " "}]
    others[1] |= {name: "A cat." for name in ROW if name.startswith("Sentence1")}
    _write(folder / "esnli_test.csv", ROW, *others)
    task = esnli(path=str(folder))
    premise = ROW["Sentence1"]
    assert clusters(task.test) == {"1.jpg#0e": premise, "1.jpg#0n": premise}
    assert (
        "2 of 3 test texts hang together, in 1 group; intervals and tests count a group as one text"
        in remarks(task)
    )


def test_a_pair_id_may_occur_once_in_both_train_files(folder: Path) -> None:
    (folder / "esnli_train_2.csv").write_text((folder / "esnli_train_1.csv").read_text())
    with pytest.raises(
        InputError, match=r"esnli_train_2\.csv, line 2, pairID '1.jpg#0e': the pairID occurs twice"
    ):
        esnli(path=str(folder))


def test_missing_places_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match="e-SNLI, folder dataset"):
        esnli()
    wrong: Any = "skp"
    with pytest.raises(InputError, match="did you mean 'skip'"):
        esnli(path=str(folder), bad_rows=wrong)
    (folder / "esnli_train_2.csv").unlink()
    with pytest.raises(InputError, match=r"there is no file .*esnli_train_2\.csv"):
        esnli(path=str(folder))
    _write(folder / "esnli_train_1.csv", {"pairID": "1", "gold_label": "neutral"})
    with pytest.raises(InputError, match="no column 'Sentence1'"):
        esnli(path=str(folder))
