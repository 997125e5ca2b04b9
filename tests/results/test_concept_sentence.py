"""The sentence of a case says what its numbers permit, and each template can be reached."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart, denied_spans
from assay.results.concepts.cases import Case, Portfolio
from assay.results.concepts.mentions import MENTIONS, heading, in_words, percent, whole_words
from assay.results.concepts.sentence import DECISIONS, LINKS, SENTENCE, facts_of, sentence, told
from assay.tasks.example import Mention, Span

TEXT = "The roofer fell off the scaffold and hurt the lower back; the knee was not hurt."
TWO = Portfolio("p", ("under 90 days", "90 days or more"), 1)
THREE = Portfolio("p", ("short", "middle", "long"), 2)
SEVERAL = Portfolio("p", ("short", "middle", "long"), 2, multi_label=True)


def spans(*words: str) -> tuple[Span, ...]:
    return tuple(Span(TEXT.index(word), TEXT.index(word) + len(word)) for word in words)


FALL = ConceptPart("event_type: fall from height", 1.4, 0.97, spans("fell off", "the scaffold"), (0.7, 0.4))
BACK = ConceptPart("body_part: back", 0.9, 0.85, spans("lower back"), (1.0,))
KNEE = ConceptPart("knee", -0.5, 0.1, spans("knee", "not"), (0.5, 0.5), usual=0.4)


def case(
    *parts: ConceptPart,
    given: float = 0.81,
    gold: int | None = None,
    portfolio: Portfolio = TWO,
    additive: bool = True,
    base: float = 0.0,
    rest: float = 0.0,
) -> Case:
    target, labels = portfolio.focus, len(portfolio.labels)
    others = [(1 - given) * share for share in ((0.9, 0.1) if labels == 3 else (1.0,))]
    explanation = ConceptExplanation("1", "bottleneck", target, given, parts, base, rest, additive)
    return Case(explanation, (TEXT,), (*others, given), None if gold is None else (gold,))


def test_a_case_as_a_claims_handler_reads_it() -> None:
    assert sentence(case(FALL, BACK, KNEE), TWO) == (
        "The model says “90 days or more” (81 %), because the report speaks of the event type fall from "
        "height (“fell off the scaffold”) and of the body part back (“lower back”); against it counts that "
        "the report does not speak of knee."
    )


def test_of_two_labels_the_model_says_the_other_and_reasons_change_sides() -> None:
    assert sentence(case(FALL, replace(KNEE, score=-2.5), given=0.3, gold=1), TWO) == (
        "The model says “under 90 days” (70 %), because the report does not speak of knee; against it counts "
        "that the report speaks of the event type fall from height (“fell off the scaffold”). The decision "
        "is wrong: the file says “90 days or more”."
    )


def test_of_three_labels_the_model_does_not_say_one() -> None:
    said = sentence(case(replace(FALL, score=-1.0), given=0.2, portfolio=THREE), THREE)
    assert said.startswith(
        "The model does not say “long” (20 % for it), because the report speaks of the event"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"learned": False}, []),
        ({"p": 0.05}, []),
        ({"p": 0.049}, ["body_part: back"]),
        ({"score": 0.049}, []),
        ({"score": 0.051}, ["body_part: back"]),
        ({"score": -0.051}, ["body_part: back"]),
    ],
)
def test_a_concept_is_named_only_if_it_may_be(change: dict[str, float], expected: list[str]) -> None:
    part = replace(BACK, **change)
    explained = case(part).explanation
    assert [part.name for part in told(explained)] == expected
    assert ("back" in sentence(case(part), TWO)) == bool(expected)


def test_a_small_share_of_the_largest_contribution_is_not_named() -> None:
    parts = replace(FALL, score=2.0), replace(BACK, score=0.19)
    assert told(case(*parts).explanation) == [parts[0]]
    unlearned = replace(FALL, score=2.0, learned=False), replace(BACK, score=0.19)
    assert told(case(*unlearned).explanation) == [unlearned[1]]


def test_what_outweighs_the_reasons_is_not_passed_over() -> None:
    assert ", because " in sentence(case(FALL, base=1.3), TWO)
    assert ", in part because " in sentence(case(FALL, base=1.5), TWO)
    assert ", in part because " in sentence(case(FALL, rest=1.5), TWO)
    assert ", because " in sentence(case(FALL, base=-1.5), TWO)
    # what is not named counts, too: here a head that learned nothing
    assert ", in part because " in sentence(case(FALL, replace(BACK, score=3.0, learned=False)), TWO)
    assert ", in part because " in sentence(case(FALL, replace(KNEE, score=-1.5)), TWO)
    assert "because" not in sentence(case(FALL, additive=False), TWO)


def test_no_concept_and_only_concepts_against() -> None:
    assert (
        sentence(case(), TWO)
        == "The model says “90 days or more” (81 %). No concept that can be named speaks for this decision."
    )
    assert sentence(case(KNEE), TWO) == (
        "The model says “90 days or more” (81 %), although the report does not speak of knee. No concept "
        "that can be named speaks for this decision."
    )


@pytest.mark.parametrize(
    ("probability", "usual", "expected"),
    [
        (0.8, 0.3, "the report speaks of the body part back (“lower back”)"),
        (0.8, None, "the report speaks of the body part back (“lower back”)"),
        (0.7951, 0.3, "the report speaks of the body part back (“lower back”)"),
        (0.79, 0.3, "the report seems to speak of the body part back (“lower back”)"),
        (0.5, 0.3, "the report seems to speak of the body part back (“lower back”)"),
        (0.33, 0.1, "the model gives more than usual to the body part back (33 %, usually 10 %)."),
        (0.7, 0.9, "the model gives less than usual to the body part back (70 %, usually 90 %)."),
        (0.49, 0.6, "the report seems not to speak of the body part back."),
        (0.2, 0.6, "the report does not speak of the body part back."),
        (0.2049, 0.6, "the report does not speak of the body part back."),
        (None, None, "the model makes use of the body part back (“lower back”)"),
        # What the score counts from is not known, or told in the same per cent.
        (0.2, None, "(81 %). No concept that can be named speaks for this decision."),
        (0.33, 0.3301, "the report seems not to speak of the body part back."),
        (0.3301, 0.33, "(81 %). No concept that can be named speaks for this decision."),
    ],
)
def test_a_concept_is_spoken_of_as_its_score_and_probability_permit(
    probability: float | None, usual: float | None, expected: str
) -> None:
    assert expected in sentence(case(replace(BACK, probability=probability, usual=usual)), TWO)


@pytest.mark.parametrize(
    ("probability", "usual", "expected"),
    [
        (0.2, 0.6, "because the report denies knee (“the knee was not hurt”)."),
        (0.2049, 0.6, "because the report denies knee (“the knee was not hurt”)."),
        (0.21, 0.6, "because the report seems to deny knee (“the knee was not hurt”)."),
        (0.49, 0.6, "because the report seems to deny knee (“the knee was not hurt”)."),
        (0.33, 0.1, "because the model gives more than usual to knee (33 %, usually 10 %)."),
        (0.8, 0.3, "because the report speaks of knee"),
        # What is denied is told only where the score is of what the text has less of.
        (0.1, None, "No concept that can be named speaks for this decision."),
        (0.1, 0.05, "because the model gives more than usual to knee (10 %, usually 5 %)."),
        (None, None, "because the model makes use of knee"),
    ],
)
def test_a_concept_that_the_text_denies_is_said_to_be_denied(
    probability: float | None, usual: float | None, expected: str
) -> None:
    denied = spans("the knee was not hurt")
    part = replace(KNEE, score=0.9, probability=probability, usual=usual, denied=denied)
    assert expected in sentence(case(part), TWO)
    assert "den" not in sentence(case(replace(part, denied=())), TWO)


def test_what_one_place_affirms_is_not_denied() -> None:
    no, yes = (Mention("knee", spans(word), affirmed=word == "knee") for word in ("not", "knee"))
    assert denied_spans("knee", [no]) == no.spans
    assert denied_spans("knee", [no, yes]) == denied_spans("back", [no]) == denied_spans("knee", []) == ()


def test_the_page_lists_what_is_said_of_concepts() -> None:
    page = (Path(__file__).parents[2] / "docs" / "accidents.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in page.splitlines() if line.startswith("| "))
    verbs = [template.verb.removeprefix("the {noun} ") for template in MENTIONS]
    assert [verb for verb in verbs if verb not in table] == []


def test_a_concept_that_no_head_gives_is_named_only_where_the_text_has_it() -> None:
    tested = replace(BACK, probability=None, p=0.01)
    assert "makes use of" in sentence(case(tested), TWO)
    said = sentence(case(replace(tested, seen=False)), TWO)
    assert said.endswith("(81 %). No concept that can be named speaks for this decision.")


def test_a_name_with_two_colons_is_left_as_it_is() -> None:
    assert (
        in_words("body_part: back") == "the body part back"
        and heading("body_part: back") == "body part: back"
    )
    assert in_words("Cause: main: a_b") == heading("Cause: main: a_b") == "Cause: main: a_b"


def test_words_that_speak_against_a_concept_are_no_quotation_of_it() -> None:
    part = replace(BACK, spans=spans("fell off", "lower back"), span_scores=(-0.5, 0.5))
    assert "(“lower back”)" in sentence(case(part), TWO)


def test_quotations_are_cut_between_words() -> None:
    text = "the driver felt a sharp pain in the lower back as he lifted a heavy crate from the truck"
    part = ConceptPart("c", 1.0, 0.9, (Span(0, len(text)),), (1.0,))
    explained = ConceptExplanation("1", "bottleneck", 1, 0.8, (part,), additive=True)
    said = sentence(Case(explained, (text,), (0.2, 0.8)), TWO)
    assert "(“the driver felt a sharp pain in the lower back as he …”)" in said


def test_long_quotations_are_cut_and_two_are_the_most() -> None:
    long = "x" * 100
    text = f"{long}. one. two. three"
    places = tuple(Span(text.index(w), text.index(w) + len(w)) for w in (long, "one", "two", "three"))
    part = ConceptPart("c", 1.0, 0.9, places, (4.0, 1.0, 3.0, 2.0))
    explained = ConceptExplanation("1", "bottleneck", 1, 0.8, (part,), additive=True)
    said = sentence(Case(explained, (text,), (0.2, 0.8)), TWO)
    assert f"(“{'x' * 59}…”, “two”)" in said


def test_probabilities_are_never_certain() -> None:
    given = [percent(value) for value in (1.0, 0.996, 0.995, 0.994, 0.5, 0.006, 0.005, 0.004, 0.0)]
    assert given == [*["over 99 %"] * 3, "99 %", "50 %", "1 %", *["under 1 %"] * 3]


def test_the_model_is_unsure_below_the_per_cent_that_are_told() -> None:
    assert "(60 %)" in (said := sentence(case(FALL, given=0.5951), TWO)) and "is unsure" not in said
    assert "is unsure and says “90 days or more” (59 %)" in sentence(case(FALL, given=0.594), TWO)


def test_names_and_words_are_inert_and_no_format() -> None:
    part = ConceptPart("{label} \x1b[31m", 1.0, 0.9)
    assert sentence(case(part), TWO).endswith("speaks of {label} \\x1b[31m.")


PARTS = [
    replace(part, score=sign * part.score, probability=probability, usual=usual, learned=learned, p=p)
    for part, sign in ((FALL, 1), (BACK, -1))
    for probability, usual, learned, p in [
        (0.9, 0.3, True, None), (0.6, None, True, 0.01), (0.4, 0.45, True, None), (0.1, 0.3, True, None),
        (None, None, True, 0.2), (None, None, True, 0.001), (0.9, None, False, None), (0.4, 0.2, True, None),
        (0.6, 0.7, True, None), (0.4, None, True, None),
    ]
]  # fmt: skip
DENIED = [replace(PARTS[place], denied=spans("the knee was not hurt")) for place in (2, 3, 12, 13)]
SHOWN = [(), *((part,) for part in (*PARTS, *DENIED)), *((a, b) for a in PARTS[:10] for b in PARTS[10:])]
EVERY = [
    (portfolio, case(*parts, given=given, gold=gold, portfolio=portfolio, additive=additive, base=base))
    for portfolio, parts, given, gold, additive, base in product(
        (TWO, THREE, SEVERAL), SHOWN, (0.97, 0.56, 0.45, 0.1), (None, 0, 2), (True, False), (0.0, 5.0)
    )
    if gold is None or gold < len(portfolio.labels)
]


def test_no_sentence_is_surer_than_its_numbers() -> None:
    """Each phrase is held against the numbers of its case, without the tests of the templates."""
    assert len(EVERY) > 5000
    for portfolio, given in EVERY:
        said = sentence(given, portfolio)
        explanation, target = given.explanation, given.explanation.target
        probability = given.probabilities[target]
        says = probability > 0.5 if portfolio is not THREE else probability == max(given.probabilities)
        label = portfolio.labels[target]
        assert (f"says “{label}” (" in said) == says
        confidence = probability if says else 1 - probability
        assert ("is unsure" in said) == (confidence < 0.6)
        wrong = given.gold is not None and (
            says != (target in given.gold) if portfolio is not THREE
            else max(range(3), key=given.probabilities.__getitem__) not in given.gold
        )  # fmt: skip
        assert ("The decision is wrong" in said) == wrong
        sign = 1 if says else -1
        for part in explanation.parts:
            name = part.name.partition(": ")[2]
            may = (
                part.learned
                and (part.p is None or part.p < 0.05)
                and (part.probability, part.usual) != (0.4, None)
            )
            assert (name in said) == may, said
            if not may:
                continue
            given_to, usual = part.probability, part.usual
            more = usual is None or given_to is None or given_to > usual
            assert (
                f"speaks of the event type {name}" in said or f"speaks of the body part {name}" in said
            ) == ((given_to or 0) >= 0.8)
            assert (f"{name} (“" in said) == (
                given_to is None or (more and given_to >= 0.5) or bool(part.denied)
            )
            before = said[: said.index(name)]
            # By the last verb before the name, the text lacks only what it has less of than usual.
            verbs = re.findall("speaks?|not (?:to )?speak|denies|deny|more than|less than|makes use", before)
            if verbs[-1].startswith(("not", "den", "less")):
                assert not more
            else:
                assert more
            assert bool(re.search("against it (counts )?that|although", before)) == (sign * part.score < 0)
        named = [part for part in explanation.parts if part.name.partition(": ")[2] in said]
        reasons = sum(max(0.0, sign * part.score) for part in named)
        if not reasons:
            assert "No concept that can be named speaks for this decision" in said and "because" not in said
        if ", because" in said:
            rest = explanation.rest + sum(part.score for part in explanation.parts if part not in named)
            assert explanation.additive
            assert reasons > max(sign * explanation.base, sign * rest)
            assert reasons > sum(max(0.0, -sign * part.score) for part in named)


def test_every_template_is_reached() -> None:
    reached = [
        {next(t.words for t in table if t.permitted(facts_of(c, p))) for p, c in EVERY} for table in SENTENCE
    ]
    assert reached == [{template.words for template in table} for table in SENTENCE]
    assert len(DECISIONS) == 4 and len(LINKS) == 5
    verbs = {template.verb.format(noun="report") for template in MENTIONS}
    assert all(any(verb in sentence(c, p) for p, c in EVERY) for verb in verbs)


def test_no_word_of_time_or_recovery_is_in_a_template() -> None:
    words = " ".join(
        [*(t.words for table in SENTENCE for t in table), *(f"{t.verb} {t.item}" for t in MENTIONS)]
    )
    assert not re.search(r"recover|absence|days|heal|return|injur|long|short|expect", words)


@pytest.mark.parametrize(
    ("span", "quoted"),
    [((13, 21), "employee's finger"), ((4, 8), "employee's"), ((15, 21), "finger"), ((0, 3), "the")],
)
def test_quotes_are_whole_words(span: tuple[int, int], quoted: str) -> None:
    assert whole_words("the employee's finger", Span(*span)) == quoted
