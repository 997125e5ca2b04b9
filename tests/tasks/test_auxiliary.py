"""Auxiliary labels and mentions of concepts: what a task accepts, and what names its results."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from assay.harness.config.keys import label_parts, model_key
from assay.tasks.auxiliary import Auxiliary, Coded, CodedColumn, chosen, positions, questions
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Mention, Span, Task, fingerprint

PART = Auxiliary("body_part", ("back", "head"))
CAUSE = Auxiliary("cause", ("haste",))
PLAIN = Example("a", ("He fell.",), (0,))


def _task(*answers: tuple[int | None, ...], asked: Sequence[Auxiliary] = (PART, CAUSE)) -> Task:
    examples = tuple(
        Example(str(number), (f"Text {number}",), (number % 2,), auxiliary=given)
        for number, given in enumerate(answers)
    )
    return Task("t", ("no", "yes"), examples, examples, examples, auxiliary=tuple(asked))


def test_an_answer_may_be_missing_and_a_text_may_have_none() -> None:
    task = _task((1, None), (None, 0), ())
    assert [example.auxiliary for example in task.train] == [(1, None), (None, 0), ()]
    # A task that asks nothing does not look at answers to another one's questions.
    assert _task((1, None), (0, 0), asked=()).auxiliary == ()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((2, None), r"example '1' has body_part 2, out of range; expected 0 to 1, or None"),
        ((None, -1), r"example '1' has cause -1, out of range; expected 0 to 0, or None"),
        ((0,), r"example '1' has 1 auxiliary label; expected 2"),
        ((0, 0, 0), r"example '1' has 3 auxiliary labels; expected 2"),
    ],
)
def test_answers_that_fit_no_question_are_refused(answers: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _task((0, 0), answers)


def test_a_mention_outside_the_text_is_refused() -> None:
    mention = Mention("cause: haste", (Span(0, 2), Span(3, 99)))
    with pytest.raises(
        InputError, match="a mention of 'cause: haste' at characters 3 to 99, outside its text"
    ):
        replace(PLAIN, mentions=(mention,))


def test_prints_and_keys_of_tasks_without_them_are_what_they_were() -> None:
    # pinned: computed before there were auxiliary labels
    assert fingerprint([PLAIN]) == "5786fb25fe023d4e08513fde67459e4ece507f7588225bbc40d84dcb2949e845"
    assert label_parts(_task((), (), asked=())) == [["no", "yes"], False]


def test_prints_follow_what_results_depend_on() -> None:
    answered = replace(PLAIN, auxiliary=(1, None))
    mentioned = replace(PLAIN, mentions=(Mention("cause: haste", (Span(0, 2),)),))
    denied = replace(PLAIN, mentions=(Mention("cause: haste", (Span(0, 2),), affirmed=False),))
    # A model may be trained on the answers; only scores of the very texts depend on mentions.
    assert fingerprint([answered]) != fingerprint([PLAIN]) == fingerprint([mentioned])
    explained = [fingerprint([one], explained=True) for one in (PLAIN, answered, mentioned, denied)]
    assert len(set(explained)) == 4
    data = ["train", "dev"]
    keys = {
        model_key({"name": "m"}, 0, [*data, *label_parts(_task((), (), asked=asked))], pairs=False)
        for asked in ((), (PART,), (CAUSE,), (PART._replace(labels=("head", "back")),))
    }
    assert len(keys) == 4


def test_answers_become_positions_in_alphabetical_labels() -> None:
    answers = [["head", None], ["back", "haste"], [None, None]]
    asked = questions(["body_part", "cause"], answers)
    assert asked == (PART, CAUSE)
    assert positions(asked, answers) == [(1, None), (0, 0), (None, None)]


def _read(*cells: tuple[str, str]) -> tuple[CodedColumn, list[str | None]]:
    column = CodedColumn("part", Coded("code", "name"))
    return column, [column.read({"code": code, "name": name}) for code, name in cells]


@pytest.mark.parametrize("nothing", ["", " ", "0", "#N/A", "NO VALUE FOUND", "?"])
def test_a_code_that_the_file_does_not_explain_is_no_label_and_is_told(
    nothing: str, caplog: pytest.LogCaptureFixture
) -> None:
    column, read = _read(("1", "Head"), ("25", nothing), ("25", nothing), ("0", nothing), ("", nothing))
    assert read == ["Head", None, None, None, None]
    with caplog.at_level(logging.WARNING):
        column.warn("a.csv")
    (message,) = caplog.messages
    assert message == (
        "a.csv: column name does not explain the codes 25 (2x) of code; their rows have no label for part"
    )


def test_a_code_of_several_meanings_is_told_and_each_is_a_label(caplog: pytest.LogCaptureFixture) -> None:
    column, read = _read(("1", "Head"), ("1", "Neck"), ("2", "Neck"))
    assert read == ["Head", "Neck", "Neck"]
    column.warn("a.csv")
    assert caplog.messages == [
        "a.csv: column name has several meanings of the codes 1 of code; each meaning is a label of part"
    ]


def test_what_is_whole_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    column, _ = _read(("1", "Head"), ("2", "Neck"), ("", ""))
    column.warn("a.csv")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["body_prat"], r"task\.auxiliary is 'body_prat'; did you mean 'body_part'\?"),
        (["cause", "cause"], "expected a list of different names"),
        ("cause", "expected a list of different names"),
    ],
)
def test_questions_that_a_task_does_not_have(names: Sequence[str], message: str) -> None:
    known = {"body_part": Coded("a", "b"), "cause": Coded("c", "d")}
    with pytest.raises(InputError, match=message):
        chosen(names, known)
    assert [column.name for column in chosen(None, known)] == ["body_part", "cause"]
    assert [column.name for column in chosen(["cause"], known)] == ["cause"]
