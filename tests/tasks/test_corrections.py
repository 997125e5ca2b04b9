"""What a reader's file may look like, and which of its lines counts."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import assay
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.concepts import Concept, read_concepts
from assay.tasks.corrections import Judged, read_corrections
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

LADDER = Concept("ladder", "me", words=("ladder",))
EXAMPLES = tuple(Example(f"t{at}", (f"A ladder {at}",), (at % 2,), auxiliary=(0,)) for at in range(4))
TASK = Task(
    "t", ("no", "yes"), EXAMPLES, (), EXAMPLES[:2], partial=True, auxiliary=(Auxiliary("part", ("back",)),)
)
NO = {Judged("t0", "ladder"): False}


def _file(folder: Path, text: str) -> Path:
    path = folder / "corrections.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        ("t0,ladder,yes,Ann,2026-01-01\nt0,ladder,no,Ann,", False),
        ("t0,ladder,no,Ann,\nt0,ladder,yes,Ann,2026-01-01", True),
        ("t0,ladder,yes,Ann,2026-02-01\nt0,ladder,no,Ann,\nt0,ladder,yes,Ann,2026-01-01", True),
        ("t0,ladder,yes,Ann,2026-02-01\nt0,ladder,no,Ann,2026-01-01", True),
        ("t0,ladder,yes,Ann,2026-02-01\nt0,ladder,no,Ann,2026-02-01", False),
    ],
)
def test_the_last_word_of_a_reader_is_by_date_only_if_every_line_has_one(
    lines: str, holds: bool, tmp_path: Path
) -> None:
    path = _file(tmp_path, f"id,concept,holds,who,date\n{lines}\n")
    assert read_corrections(path, [LADDER], TASK) == {Judged("t0", "ladder"): holds}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid;concept;holds;who\r\nt0;ladder;no;Ann\r\n;;;\r\n ; ;;\r\n",
        "ID,Concept,Holds,Who\nt0,ladder,FALSE,Ann\n",
        "id, concept , holds, who\nt0, ladder, No , Ann\n",
        "Id\tConcept\tHolds\tWho\nt0\tladder\tFalse\tAnn\n",
    ],
)
def test_what_spreadsheets_write_is_read(text: str, tmp_path: Path) -> None:
    assert read_corrections(_file(tmp_path, text), [LADDER], TASK) == NO


def test_lines_on_other_texts_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _file(tmp_path, "id,concept,holds,who\nt8,ladder,no,A\nt0,ladder,no,A\nt9,ladder,no,A\n")
    with caplog.at_level(logging.WARNING):
        assert read_corrections(path, [LADDER], TASK) == NO
    assert "left out 2 lines on texts that task t does not have, the first 't8'" in caplog.text
    path = _file(tmp_path, "id,concept,holds,who\nt8,ladder,no,A\n")
    with pytest.raises(InputError, match=r"line 2: task 't' has no text with the id 't8', nor with that of"):
        read_corrections(path, [LADDER], TASK)


def test_one_file_serves_concepts_and_auxiliary_labels(tmp_path: Path) -> None:
    path = _file(tmp_path, "id,concept,holds,who\nt0,part: back,no,A\nt1,ladder,no,A\n")
    assert len(read_corrections(path, [LADDER], TASK)) == 2
    ladder = {"ladder": {"words": ["ladder"], "added_by": "me"}}
    changed = assay.corrected(TASK, path, ladder)
    assert [example.auxiliary for example in changed.train] == [(None,), (0,), (0,), (0,)]
    with pytest.raises(InputError, match=r"no concept 'ladder'; .*or give concepts=<the YAML file"):
        assay.corrected(TASK, path)


def test_blanks_around_names_send_no_correction_to_another_concept(tmp_path: Path) -> None:
    entry = {"words": ["ladder"], "added_by": "me"}
    (padded,) = read_concepts({" ladder ": entry})
    path = _file(tmp_path, "id,concept,holds,who\nt0,ladder ,no,A\n")
    assert padded.name == "ladder" and read_corrections(path, [padded], TASK) == NO
    with pytest.raises(InputError, match="two concepts have the name 'ladder', but for blanks"):
        read_concepts({"ladder ": entry, "ladder": entry})
    # Answers and ids have the blanks of their file.
    task = Task(
        "t",
        ("no", "yes"),
        (Example("t0 ", ("a",), (0,), auxiliary=(0,)), Example("t0", ("b",), (1,), auxiliary=(1,))),
        (),
        EXAMPLES[2:],
        partial=True,
        auxiliary=(Auxiliary("part", ("back ", "back")),),
    )
    path = _file(tmp_path, "id,concept,holds,who\nt0 ,part: back ,no,A\nt0,part: back,yes,A\n")
    assert read_corrections(path, (), task) == {
        Judged("t0 ", "part: back "): False,
        Judged("t0", "part: back"): True,
    }


def test_a_concept_that_is_called_as_another_answer_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "id,concept,holds,who\nt0,part: back,no,A\n")
    same = Concept("part: back", "me", coded=("part: back",))
    assert read_corrections(path, [same], TASK) == {Judged("t0", "part: back"): False}
    with pytest.raises(InputError, match="'part: back' is called as an answer to an auxiliary question"):
        read_corrections(path, [Concept("part: back", "me", words=("spine",))], TASK)


def test_two_answers_of_one_name_are_refused() -> None:
    questions = Auxiliary("a", ("b: burn", "b: fall")), Auxiliary("a: b", ("burn", "fall"))
    with pytest.raises(InputError, match="2 answers to auxiliary questions are called 'a: b: burn'"):
        Task("t", ("no", "yes"), EXAMPLES, (), EXAMPLES, partial=True, auxiliary=questions)
