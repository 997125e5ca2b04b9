"""Tokens of any tokenizer are found in their text, and nowhere else."""

from __future__ import annotations

import pytest

from assay.models.matching import locate
from assay.tasks.errors import InputError


def pieces(tokens: list[str], *texts: str) -> list[str | None]:
    found = locate(tokens, texts)
    return [None if span is None else texts[span.segment][span.start : span.end] for span in found]


@pytest.mark.parametrize(
    ("tokens", "texts", "expected"),
    [
        (["a", "film"], ["A  film."], ["A", "film"]),
        (["[CLS]", "un", "##able", "!", "[SEP]"], ["Unable!"], [None, "Un", "able", "!", None]),
        (["▁the", "▁", "film", "</s>"], ["the film"], ["the", None, "film", None]),
        (["<s>", "The", "Ġfilm", "Ċ", "Ġgoes"], ["The film\n goes"], [None, "The", "film", None, "goes"]),
        (["cafe", "naive"], ["Café naïve"], ["Café", "naïve"]),
        (["ß", "ﬁlm"], ["Straße ß ﬁlm"[7:]], ["ß", "ﬁlm"]),
        (["a", "[UNK]", "b"], ["a 日本 b"], ["a", "日本", "b"]),
        (["[UNK]", "next"], ["ﬁn next"], ["ﬁn", "next"]),
        (["##", "x"], ["## x"], ["##", "x"]),
        (["one", "two", "three"], ["one two", "three"], ["one", "two", "three"]),
        (["[CLS]", "one", "[SEP]", "one", "[SEP]"], ["one two", "one"], [None, "one", None, "one", None]),
        (["one", "</s>", "</s>", "two", "</s>"], ["one", "two"], ["one", None, None, "two", None]),
        (["one"], ["one and what was cut off"], ["one"]),
    ],
)  # fmt: skip
def test_tokens_are_found(tokens: list[str], texts: list[str], expected: list[str | None]) -> None:
    assert pieces(tokens, *texts) == expected


def test_the_second_text_has_places_of_its_own() -> None:
    first, second = locate(["one", "[SEP]", "one"], ["one", "no one"[3:]])[::2]
    assert first is not None and second is not None
    assert (first.segment, second.segment) == (0, 1)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["the", "movie"], r"token 1, 'movie', does not match the text, which goes on with 'film'"),
        (["film"], r"token 0, 'film'.*goes on with 'the film'"),
        (["the", "film", "again"], r"token 2, 'again'.*which has ended"),
        (["the", "film", "[UNK]"], r"token 2, '\[UNK\]'.*which has ended"),
    ],
)
def test_tokens_of_another_text_are_refused(tokens: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        locate(tokens, ["the film"])
