"""Concepts from YAML: what is read, where a text speaks of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.tasks.concepts import Concept, read_concepts
from assay.tasks.errors import InputError
from assay.tasks.example import Example

YAML = """
# comments stay
ladder:
  words: [ladder, ladders]
  phrases: fell off the  roof
  added_by: A. Miller
"fall: from height":
  coded: ["event_type: fall from height"]
  negation: false
  added_by: B
"""


def _found(text: str, **fields: Any) -> list[tuple[bool, list[str]]]:
    concept = Concept("c", "me", **fields)
    mentions = concept.mentions(Example("a", (text,), (0,)))
    assert all(mention.concept == "c" for mention in mentions)
    return [
        (mention.affirmed, [text[span.start : span.end] for span in mention.spans]) for mention in mentions
    ]


def test_a_file_and_a_mapping_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "concepts.yaml"
    path.write_text(YAML, encoding="utf-8")
    ladder, fall = read_concepts(path)
    assert ladder == Concept("ladder", "A. Miller", ("ladder", "ladders"), ("fell off the  roof",))
    assert fall == Concept("fall: from height", "B", coded=("event_type: fall from height",), negation=False)
    assert read_concepts({"ladder": {"words": "ladder", "added_by": "me"}})[0].words == ("ladder",)


def test_words_are_found_in_any_case_and_not_inside_others() -> None:
    words = ("ladder", "fall")
    assert _found("A LADDER, two ladders, a stepladder", words=words) == [(True, ["LADDER"])]
    assert _found("free-fall", words=words) == [(True, ["fall"])]
    assert _found("falls felled ladder2 _fall", words=words) == []
    assert _found("fell  off\nthe roof", phrases=("fell off the roof",)) == [(True, ["fell  off\nthe roof"])]
    # the longest of several counts once
    assert _found("fell off", words=("fell",), phrases=("fell off",)) == [(True, ["fell off"])]
    assert _found("c++ (a.b)", words=("c++", "a.b")) == [(True, ["c++"]), (True, ["a.b"])]
    assert _found("很好電影", words=("電影",)) == [(True, ["電影"])]


def test_both_texts_of_a_pair_are_searched() -> None:
    pair = Example("a", ("a ladder", "no ladder"), (0,))
    first, second = Concept("c", "me", words=("ladder",)).mentions(pair)
    assert [span.segment for span in (*first.spans, *second.spans)] == [0, 1, 1]
    assert first.affirmed and not second.affirmed


@pytest.mark.parametrize(
    ("text", "negator"),
    [
        ("He did not fall.", "not"),
        ("He didn't really fall", "didn't"),
        ("He didn’t fall", "didn’t"),
        ("NO sign of a fall", "NO"),
        ("He did not slip or fall", "not"),
        ("without one single bad fall", "without"),
        (f"{'word ' * 400}never fall", "never"),
    ],
)
def test_a_negator_of_the_same_clause_denies(text: str, negator: str) -> None:
    assert _found(text, words=("fall",)) == [(False, [negator, "fall"])]
    assert _found(text, words=("fall",), negation=False) == [(True, ["fall"])]


@pytest.mark.parametrize(
    "text",
    [
        "No. He had a fall",
        "It was not wet, the fall came later",
        "not one two three four fall",
        "knot fall",
        f"{'x' * 157}not fall",
        "a fall, not a slip",
        "He wore no harness and had a fall",
        "not tied off when the fall came",
        "He was not seen before the fall",
        "It is not known whether a fall came first",
    ],
)
def test_other_negators_deny_nothing(text: str) -> None:
    assert _found(text, words=("fall",)) == [(True, ["fall"])]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"wrods": ["a"], "added_by": "me"}, "unknown field 'wrods'; did you mean 'words'"),
        ({"words": ["a"]}, "does not say who added it; expected added_by"),
        ({"words": ["a"], "added_by": " "}, "does not say who added it"),
        ({"added_by": "me"}, "has no words, phrases or coded answers"),
        ({"words": [], "added_by": "me"}, "has no words, phrases or coded answers"),
        ({"words": [True], "added_by": "me"}, "words has True; expected a text, in quotes"),
        ({"words": [""], "added_by": "me"}, "words has ''; expected a text"),
        ({"words": {"a": 1}, "added_by": "me"}, "expected a text or a list of texts"),
        (
            {"words": ["fell off"], "added_by": "me"},
            "'fell off', which is several words; put it under phrases",
        ),
        ({"words": ["a"], "added_by": "me", "negation": "no"}, "negation is 'no'; expected true or false"),
        (["ladder"], "expected a mapping with words, phrases or coded"),
    ],
)
def test_a_wrong_entry_is_refused(entry: Any, message: str) -> None:
    with pytest.raises(InputError, match="concepts: concept 'x'") as error:
        read_concepts({"x": entry})
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {words: [b], added_by: me}\na: {words: [c], added_by: me}", r"line 2: 'a' stands there twice"),
        ("a: {words: [b], words: [c], added_by: me}", r"line 1: 'words' stands there twice"),
        ("a: [", r"line 1: this is no YAML"),
        ("- a\n- b", r"expected a mapping from the name of each concept"),
        ("5: {words: [b], added_by: me}", r"concept 5 has no text as its name"),
        ("[1, 2]: x", r"this is no YAML"),
        ("a: !!python/object/apply:os.system [ls]", r"this is no YAML"),
        ("#", r"expected a mapping from the name"),
    ],
)
def test_a_wrong_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "concepts.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        read_concepts(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match="there is no file"):
        read_concepts(tmp_path / "absent.yaml")
