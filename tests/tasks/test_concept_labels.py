"""Which texts have a concept: words, coded answers, corrections; and what is refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

import assay
from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.corrections import correction_lines
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.concept_labels import (
    HAS,
    HAS_NOT,
    UNKNOWN,
    check_positives,
    label_concepts,
    mentions,
)
from assay.tasks.concepts import Concept
from assay.tasks.corrections import COLUMNS, WHO, Judged, read_corrections, with_corrections
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.planted_accidents import planted_accidents

QUESTIONS = (Auxiliary("part", ("back", "head")),)
LADDER = Concept("ladder", "me", words=("ladder",))
TEXTS = ("A ladder fell", "No ladder here", "A roof", "Not a ladder, but his ladder")
ANSWERS: tuple[tuple[int | None, ...], ...] = ((0,), (1,), (None,), ())
EXAMPLES = tuple(
    Example(f"t{number}", (text,), (number % 2,), auxiliary=ANSWERS[number])
    for number, text in enumerate(TEXTS)
)
TASK = Task("t", ("no", "yes"), EXAMPLES, EXAMPLES[:0], EXAMPLES[:2], partial=True, auxiliary=QUESTIONS)


def _status(concept: Concept, corrections: dict[Judged, bool | None] | None = None) -> list[int]:
    return label_concepts([concept], EXAMPLES, QUESTIONS, corrections)[0].status.tolist()


def _corrections(folder: Path, lines: str) -> dict[Judged, bool | None]:
    path = folder / "corrections.csv"
    path.write_text(f"id,concept,holds,who,date\n{lines}", encoding="utf-8")
    return read_corrections(path, [LADDER], TASK)


def test_words_codes_and_both() -> None:
    assert _status(LADDER) == [HAS, HAS_NOT, HAS_NOT, HAS]
    assert _status(Concept("back", "me", coded=("part: back",))) == [HAS, HAS_NOT, UNKNOWN, UNKNOWN]
    # Codes decide where they are known; elsewhere a word that is there does.
    both = Concept("back", "me", words=("roof",), coded=("part: back",))
    assert _status(both) == [HAS, HAS_NOT, HAS, UNKNOWN]
    assert _status(Concept("any", "me", coded=("part: back", "part: head"))) == [HAS, HAS, UNKNOWN, UNKNOWN]


def test_coded_concepts_are_those_that_the_generator_planted() -> None:
    task = planted_accidents(train=60, dev=4, test=4)
    name = "event_type: fall from height"
    (found,) = label_concepts([Concept("height", "me", coded=(name,))], task.train, task.auxiliary)
    planted = [
        any(mention.concept == name and mention.affirmed for mention in example.mentions)
        for example in task.train
    ]
    assert found.status.tolist() == [HAS if has else HAS_NOT for has in planted] and found.positives > 0


def test_a_correction_comes_back_as_a_label(tmp_path: Path) -> None:
    given = _corrections(tmp_path, "t0,ladder,no,A,\nt2,ladder,Yes,B,2026-01-01\n")
    assert _status(LADDER, given) == [HAS_NOT, HAS_NOT, HAS, HAS]
    assert [mention.affirmed for mention in mentions(LADDER, EXAMPLES[0], given)] == [False]
    assert [mention.affirmed for mention in mentions(LADDER, EXAMPLES[3], given)] == [False, True]


def test_of_one_reader_the_latest_counts_and_readers_may_contradict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    latest = _corrections(tmp_path, "t0,ladder,no,A,2026-02-01\nt0,ladder,yes,A,2026-01-01\n")
    assert latest == {Judged("t0", "ladder"): False}
    assert _corrections(tmp_path, "t0,ladder,no,A,\nt0,ladder,yes,A,\n") == {Judged("t0", "ladder"): True}
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        given = _corrections(tmp_path, "t0,ladder,no,A,\nt0,ladder,yes,B,\nt1,ladder,yes,A,\n")
    assert "contradict each other on 1 text and concept, the first 'ladder' in 't0'" in caplog.text
    assert _status(LADDER, given)[:2] == [UNKNOWN, HAS]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("t0,lader,no,A,", r"line 3: there is no concept 'lader'; did you mean 'ladder'"),
        ("t0,ladder,maybe,A,", r"line 3: holds is 'maybe'; expected yes or no"),
        ("t0,ladder,,A,", r"line 3: holds is ''; expected yes or no"),
        ("t0,ladder,no,,", r"line 3: who is ''; expected the name"),
        ("t0,ladder,no,A,yesterday", r"line 3: date is 'yesterday'; expected one such as 2026-11-30"),
    ],
)
def test_a_wrong_line_is_refused(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _corrections(tmp_path, f"t1,ladder,no,A,\n{line}\n")


def test_corrected_answers_come_back_as_auxiliary_labels(tmp_path: Path) -> None:
    lines = (
        "t0,part: back,no,A,\nt1,part: back,yes,A,\nt2,part: head,yes,A,\n"
        "t3,part: head,yes,A,\nt3,part: back,yes,A,\nt1,ladder,yes,A,\n"
    )
    given = _corrections(tmp_path, lines)
    changed = with_corrections(TASK, given)
    assert [example.auxiliary for example in changed.train] == [(None,), (0,), (1,), (None,)]
    assert [example.auxiliary for example in changed.test] == [(None,), (0,)]
    assert with_corrections(TASK, {}) is TASK
    path = tmp_path / "corrections.csv"
    path.write_text(f"id,concept,holds,who\n{lines.split(chr(10))[1].removesuffix(',')}\n")
    assert [example.auxiliary for example in assay.corrected(TASK, path).train[:2]] == [(0,), (0,)]
    with pytest.raises(InputError, match="has no auxiliary labels, so there is nothing to correct"):
        assay.corrected(replace(TASK, auxiliary=()), path)


def test_what_corrections_do_not_do_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "c.csv"
    task = replace(TASK, train=EXAMPLES[2:])
    lines = "t0,part: back,no,A\nt3,part: head,yes,A\nt3,part: back,yes,A\n"
    path.write_text(f"id,concept,holds,who\n{lines}", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assay.corrected(task, path)
    assert "1 of 3 corrected answers is on texts that no model is trained on; they only change" in caplog.text
    assert "1 question has several answers that hold, the first 'part' of 't3'" in caplog.text
    caplog.clear()
    path.write_text("id,concept,holds,who\nt3,part: head,yes,A\n", encoding="utf-8")
    assay.corrected(task, path)
    assert not caplog.text


def test_lines_that_pages_offer_are_read(tmp_path: Path) -> None:
    odd = Concept("=ladder", "me", words=("ladder",))
    task = replace(TASK, train=(replace(EXAMPLES[0], id="-t0"),), test=EXAMPLES[1:2])
    parts = (ConceptPart("=ladder", 0.5, 0.9),)
    ((_, line),) = correction_lines(ConceptExplanation("-t0", "bottleneck", 1, 0.8, parts))
    path = tmp_path / "c.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: who is 'YOUR NAME'; expected the name of the reader"):
        read_corrections(path, [odd], task)
    path.write_text(f"{','.join(COLUMNS)}\n{line.replace(WHO, 'A')}\n", encoding="utf-8")
    assert read_corrections(path, [odd], task) == {Judged("-t0", "=ladder"): False}


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,concept,holds\nt0,ladder,no\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'who'"):
        read_corrections(path, [LADDER], TASK)


def test_codes_that_the_task_does_not_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"coded as 'part: bak', which the task does not have; did you mean"):
        label_concepts([Concept("c", "me", coded=("part: bak",))], EXAMPLES, QUESTIONS)
    with pytest.raises(InputError, match="but the task has no auxiliary labels"):
        label_concepts([Concept("c", "me", coded=("part: back",))], EXAMPLES)


def test_too_few_texts_on_either_side_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    (none, all_have) = label_concepts(
        [
            Concept("ghost", "me", words=("ghost",)),
            Concept("any", "me", words=("ladder", "roof"), negation=False),
        ],
        EXAMPLES,
    )
    with pytest.raises(InputError, match=r"'ghost' has no positive example: none of 4 texts has it"):
        check_positives(none, 1)
    with pytest.raises(InputError, match=r"concept 'any': 0 of 4 texts lack it; expected at least 1"):
        check_positives(all_have, 1)
    (ladder,) = label_concepts([LADDER], EXAMPLES)
    check_positives(ladder, 2)
    with pytest.raises(InputError, match=r"concept 'ladder': 2 of 4 texts have it; expected at least 3"):
        check_positives(ladder, 3)
    assert "concept 'ghost': 1 word occurs in none of 4 texts: 'ghost'; check the spelling" in caplog.text
