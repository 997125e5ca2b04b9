"""Tokenizers that give no offsets: ids are their own, and every token's characters and word are found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_tokenizers import (
    BUILDS,
    Build,
    ByteLevel,
    Listed,
    bertweet,
    byte_level,
    byte_tokens,
    characters,
    code_points,
    fast_wordpieces,
    flaubert,
    phobert,
    pieces,
    tweets,
    wordpieces,
)
from transformers import AutoTokenizer, PreTrainedTokenizer

from assay.models.encoding import Encoding
from assay.models.limit import Limit
from assay.models.tokenizer_files import tokenizer_content, write_tokenizer
from assay.models.tokenizing import check_tokenizer, encode_texts
from assay.tasks.errors import InputError

logging.getLogger("transformers").setLevel(logging.ERROR)

# What texts are put together from.
PARTS = (
    *(
        "film",
        "filming",
        "good",
        "The",
        "GOOD",
        "awful",
        "don't",
        "I'm",
        "user",
        "Straße",
        "naïve",
        "e\u0301",
        "é",
    ),
    *(
        "a\u0308",
        "İ",
        "ﬁ",
        "½",
        "中",
        "中文",
        "日本",
        "語",
        "한",
        "ab",
        "x",
        "🙂",
        "👩‍👩‍👧",
        "☃",
        "☃️",
        "€",
        "…",
        "’",
        "“",
    ),
    *("!", "!!!!!", ".", "-", "'", ",", "@bob", "@user", "http://t.co/x", "#tag", "&amp;", "##", "12"),
    *("[SEP]", "[UNK]", "</s>", "<unk>", "\u200b", "\u00ad", "\x07", "\ufffd", "\u0301", "▁"),
)
SPACES = ("", " ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", " \n ")
TEXTS = st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(SPACES)), max_size=9).map(
    lambda parts: "".join(part + space for part, space in parts)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Build], PreTrainedTokenizer]:
    """The tokenizer of a kind, made once."""
    return cache(lambda build: build(tmp_path_factory.mktemp("tokenizer")))


def encode(tokenizer: Any, *texts: str, limit: Limit | None = None) -> Encoding:
    (encoding,) = encode_texts(tokenizer, [texts], limit or Limit(10_000))
    return encoding


def covered(encoding: Encoding, *texts: str) -> list[tuple[str, int]]:
    """The characters and the word of each token of the texts."""
    return [
        (texts[segment][start:end], int(word))
        for segment, (start, end), word in zip(
            encoding.segments, encoding.offsets, encoding.word_ids, strict=True
        )
        if word >= 0
    ]


# Fast and slow, with words and without.
SAME = [
    *(
        "the good film-ing!",
        "The Gööd  film\r\n☃€ 日本 語",
        "don't☃-☃ a",
        "[SEP] foo[SEP]bar [UNK]☃ [MASK] x",
    ),
    *(
        "e\u0301x\u200b ÀB  한국 한",
        "naïve🙂 👩‍👩‍👧 ½ ﬁ",
        "",
        " ",
        "a" * 120,
        "İstanbul ##ing # #",
        "☃\ufe0f\u00a0b\x07c",
    ),
]


@pytest.mark.parametrize("lower", [True, False])
def test_wordpieces_are_those_of_the_fast_tokenizer(lower: bool, tmp_path: Path):
    slow, fast, same = wordpieces(tmp_path, lower=lower), fast_wordpieces(lower=lower), 0
    for texts in (*((text,) for text in SAME), *pairwise(SAME)):
        ours, theirs = encode(slow, *texts), encode(fast, *texts)
        # Where case is kept, only the one in Python composes letters and their accents.
        if lower or ours.ids.tolist() == theirs.ids.tolist():
            assert_same(ours, theirs)
            same += 1
    assert same >= len(SAME)


def assert_same(ours: Encoding, theirs: Encoding) -> None:
    assert ours.tokens == theirs.tokens
    for name in ("ids", "type_ids", "segments", "offsets", "word_ids"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name


@cache
def _twins(folder: Path) -> tuple[Any, Any]:
    return wordpieces(folder), fast_wordpieces()


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, second=TEXTS)
def test_wordpieces_are_those_of_the_fast_tokenizer_on_many_texts(
    text: str, second: str, tmp_path_factory: pytest.TempPathFactory
):
    slow, fast = _twins(tmp_path_factory.getbasetemp())
    for texts in ((text,), (text, second)):
        ours, theirs = encode(slow, *texts), encode(fast, *texts)
        assert_same(ours, theirs)


@pytest.mark.filterwarnings("ignore:This sequence already has")
@pytest.mark.parametrize("build", BUILDS)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS, second=TEXTS)
def test_what_is_read_is_the_tokenizers_own_and_has_its_place(
    build: Build, made: Any, text: str, second: str
):
    tokenizer = made(build)
    for texts in ((text,), (text, second)):
        own = tokenizer(*texts, verbose=False)
        encoding = encode(tokenizer, *texts)
        assert encoding.ids.tolist() == own["input_ids"]
        if "token_type_ids" in own:
            assert encoding.type_ids.tolist() == own["token_type_ids"]
        assert list(encoding.tokens) == tokenizer.convert_ids_to_tokens(own["input_ids"])
        check_places(tokenizer, encoding, texts)


def check_places(tokenizer: PreTrainedTokenizer, encoding: Encoding, texts: tuple[str, ...]) -> None:
    """Offsets lie in order inside their text, words are counted through and hold all that is read."""
    content = encoding.content
    assert (encoding.offsets[~content] == 0).all()
    steps = np.diff(encoding.word_ids[content])
    assert ((steps == 0) | (steps == 1)).all()
    for segment, text in enumerate(texts):
        at = np.flatnonzero(content & (encoding.segments == segment))
        assert len(at) == len(tokenizer.tokenize(text))
        starts, ends = encoding.offsets[at].T
        assert ((starts >= 0) & (starts <= ends) & (ends <= len(text))).all()
        assert (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
        read = np.zeros(len(text), dtype=bool)
        for word in set(encoding.word_ids[at].tolist()):
            own = encoding.offsets[at[encoding.word_ids[at] == word]]
            read[own[:, 0].min() : own[:, 1].max()] = True
            # White space divides words, but for a token that holds some.
            inside = text[own[:, 0].min() : own[:, 1].max()]
            assert len(inside.split()) < 2 or any(text[s:e].split()[1:] for s, e in own)
        for place, sign in enumerate(text):
            assert read[place] or sign.isspace() or not tokenizer.tokenize(sign)


def _bpe(token: str) -> str:
    return token.removesuffix("@@").removesuffix("</w>")


# What a token says of the text, of tokenizers that write it as it is.
SURFACES: dict[Build, Callable[[str], str]] = {
    bertweet: _bpe,
    phobert: _bpe,
    code_points: str,
}
PLAIN = TEXTS.filter(lambda text: "@" not in text and "<" not in text)


@pytest.mark.parametrize("build", SURFACES)
@settings(max_examples=40, deadline=None)
@given(text=PLAIN)
def test_a_token_that_is_written_as_in_the_text_has_its_characters(build: Build, made: Any, text: str):
    tokenizer = made(build)
    found = [place for place, _ in covered(encode(tokenizer, text), text)]
    for token, place in zip(tokenizer.tokenize(text), found, strict=True):
        surface = SURFACES[build](token).strip()
        assert surface in ("", place)
    read = "".join(SURFACES[build](token).strip() for token in tokenizer.tokenize(text))
    assert read == "".join(text.split())


@settings(max_examples=40, deadline=None)
@given(text=TEXTS.filter(lambda text: "<" not in text))
def test_bytes_have_the_characters_that_they_are_of(made: Any, text: str):
    places = np.repeat(np.arange(len(text)), [len(sign.encode()) for sign in text])
    for build in (byte_tokens, byte_level):
        encoding = encode(made(build), text)
        offsets = encoding.offsets[encoding.content]
        if build is byte_tokens:
            assert len(offsets) == len(places)
            for place, (start, end) in zip(places.tolist(), offsets.tolist(), strict=True):
                assert text[place].isspace() or (start, end) == (place, place + 1)
    # Pieces of several bytes: all of a text's bytes, in order.
    tokens = made(byte_level).tokenize(text)
    place = 0
    for token, (start, end) in zip(tokens, encoding.offsets[encoding.content].tolist(), strict=True):
        own = places[place : place + len(token)].tolist()
        place += len(token)
        written = [at for at in own if not text[at].isspace()]
        assert not written or (start, end) == (written[0], written[-1] + 1)


def test_tweets_are_written_anew_and_keep_their_places(made: Any):
    text = "don't @bob the film!!!!!! http://t.co/x1 🙂🙂 I’m…\n(@Bob) x&amp;y can't"
    found = covered(encode(made(tweets), text), text)
    expected = [
        *("do", "n't", "@bob", "the", "film", "!!!!!!", "!!!!!!", "!!!!!!", "http://t.co/x1"),
        *("(", "@Bob", ")", "x", "&amp;", "y", "c", "an", "'", "t"),
    ]
    # Emoji become ":smile:", the apostrophe and the dots are others.
    emoji = [place for place, _ in found if place == "🙂"]
    assert len(emoji) == 2 * len(made(tweets).tokenize("🙂")) > 10
    rest = [place for place, _ in found if place not in ("🙂", "I", "’", "…")]
    assert rest[: rest.index("m")] == expected[:9] and rest[rest.index("m") + 1 :] == expected[9:]
    by_word = {word: place for place, word in found}
    assert [by_word[word] for word in sorted(by_word)][:7] == [
        *("do", "n't", "@bob", "the", "film", "!!!!!!", "http://t.co/x1"),
    ]


@pytest.mark.parametrize(
    ("build", "text", "expected"),
    [
        (
            characters,
            "日本語AB ½☃€",
            [("日", 0), ("本", 0), ("語", 0), ("A", 0), ("B", 0), *[("½", 1)] * 3, ("☃", 1), ("€", 1)],
        ),
        (code_points, "é  中", [("é", 0), ("中", 1), ("中", 1), ("中", 1)]),
        (byte_tokens, "é 🙂", [("é", 0), ("é", 0), *[("🙂", 1)] * 5]),
        # Where "'m" is divided off only before another word, which is written anew itself.
        (tweets, "I'm @bob", [("I", 0), ("'", 1), ("m", 1), ("@bob", 2)]),
        (bertweet, "film\n the", [("film", 0), ("film", 0), ("the", 1)]),
        (phobert, "film phở\nx", [("film", 0), ("p", 1), ("h", 1), ("ở", 1), ("ở", 1), ("x", 2)]),
        (
            flaubert,
            "Film, “LA”…",
            [("Film", 0), (",", 1), ("“", 2), ("L", 3), ("A", 3), ("”", 4), *[("…", 5)] * 3],
        ),
        (
            pieces,
            "The film ½ 中文",
            [("T", 0), ("T", 0), ("h", 0), ("e", 0), ("film", 1), *[("½", 2)] * 4, ("中", 3), ("文", 3)],
        ),
        (byte_level, "film  é the", [("film", 0), ("é", 1), ("é", 1), ("é", 1), ("é", 1), ("the", 2)]),
    ],
)
def test_known_places(build: Build, text: str, expected: list[tuple[str, int]], made: Any):
    assert covered(encode(made(build), text), text) == expected


@pytest.mark.parametrize("build", [build for build in BUILDS if build is not code_points])
def test_a_special_token_that_is_written_out_is_one_word(build: Build, made: Any):
    tokenizer = made(build)
    for token in {tokenizer.sep_token, tokenizer.mask_token, tokenizer.pad_token, tokenizer.eos_token} - {
        None
    }:
        number = tokenizer.convert_tokens_to_ids(token)
        for texts in ((f"a film {token} the plot",), ("a plot", f"the{token}film")):
            found = encode(tokenizer, *texts)
            (place,) = np.flatnonzero((found.ids == number) & found.content)
            start, end = found.offsets[place]
            assert texts[found.segments[place]][start:end] == token
            # Beside it the word has at most the mark of the space before it.
            assert (found.offsets[found.word_ids == found.word_ids[place]] == (start, end)).all()
            assert found.ids.tolist() == tokenizer(*texts)["input_ids"]


@pytest.mark.filterwarnings("ignore:This sequence already has")
def test_a_text_that_ends_a_text_itself(made: Any):
    """ByT5 puts no end behind one that is written out."""
    found = encode(made(byte_tokens), "a</s>", "b")
    assert found.content.tolist() == [True, True, True, False] and found.segments.tolist()[:3] == [0, 0, 1]


@pytest.mark.parametrize("build", BUILDS)
def test_long_texts_are_refused_or_cut(build: Build, made: Any):
    tokenizer, text = made(build), "the good film and a plot " * 5
    with pytest.raises(InputError, match="the model reads at most 12"):
        encode(tokenizer, text, limit=Limit(12))
    for side in ("right", "left"):
        cut = encode(tokenizer, text, text[4:], limit=Limit(12, "truncate", truncate_side=side))
        whole = encode(tokenizer, text, text[4:])
        assert len(cut) == 12 and cut.truncated == len(whole) - 12
        assert set(cut.segments[cut.content].tolist()) == {0, 1}
        kept = set(
            zip(whole.segments.tolist(), whole.ids.tolist(), map(tuple, whole.offsets.tolist()), strict=True)
        )
        assert kept >= set(
            zip(cut.segments.tolist(), cut.ids.tolist(), map(tuple, cut.offsets.tolist()), strict=True)
        )


class Backwards(Listed):
    """Its tokens are nowhere in a text of several words."""

    def _tokenize(self, text: str, **settings: Any) -> list[str]:
        return [word.upper() + word for word in text.split()[::-1]]


class Restless(ByteLevel):
    """Its call gives other tokens than `tokenize`."""

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: Any = None) -> list[int]:
        return [2, *(int(number) for number in token_ids_0), 3]


class Numberless(Listed):
    """It has no token for what is not in its vocabulary."""

    pieces = ("a",)

    def _tokenize(self, text: str, **settings: Any) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> Any:
        return self.get_vocab().get(token)


def test_what_cannot_be_told_is_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"^the tokens of 'a film' cannot be found in it, .*TorchAdapter$"):
        encode(Backwards(), "a film")
    assert covered(encode(Backwards(), "film"), "film") == [("film", 0)]
    with pytest.raises(InputError, match=r"^a Restless reads 'a film' in another way in its call than by"):
        encode(Restless(), "a film")
    with pytest.raises(
        InputError, match=r"^a Numberless has no number for a token of 'a ☃', nor one for unknown"
    ):
        encode(Numberless(), "a ☃")
    other: Any = type("Other", (), {"is_fast": False})()
    with pytest.raises(
        InputError, match=r"^the model has a Other, which neither has a tokenizer\.json nor is"
    ):
        check_tokenizer(other, "the model")


@pytest.mark.parametrize(
    "build",
    [
        wordpieces,
        bertweet,
        tweets,
        phobert,
        characters,
        byte_tokens,
        pytest.param(code_points, marks=pytest.mark.slow),
    ],
)
def test_a_tokenizer_comes_back_from_its_files(build: Build, tmp_path: Path):
    (tmp_path / "own").mkdir()
    (tmp_path / "written").mkdir()
    tokenizer = build(tmp_path / "own")
    if build is tweets or build is bertweet:
        tokenizer.demojizer = None
    write_tokenizer(tokenizer, tmp_path / "written")
    again = AutoTokenizer.from_pretrained(tmp_path / "written")
    for text in SAME:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    shutil.move(tmp_path / "written", tmp_path / "moved")
    moved = AutoTokenizer.from_pretrained(tmp_path / "moved")
    assert tokenizer_content(again) == tokenizer_content(moved)


def test_a_tokenizer_that_does_not_come_back_is_refused(tmp_path: Path):
    for tokenizer in (Backwards(), bertweet(tmp_path)):
        if isinstance(tokenizer, Backwards):
            expected = "a Backwards, cannot be written"
        else:
            (tmp_path / "bpe.codes").unlink()
            expected = r"a BertweetTokenizer, cannot .* \(it reads texts in another way then\)"
        with pytest.raises(InputError, match=expected) as refusal:
            write_tokenizer(tokenizer, tmp_path / "written")
        assert "\n" not in str(refusal.value)


def test_content_tells_tokenizers_apart(made: Any):
    contents = [tokenizer_content(made(build)) for build in BUILDS if build not in (code_points, flaubert)]
    assert len(set(contents)) == len(contents)
    assert str(Path.home()) not in "".join(contents) and "/tmp" not in "".join(contents)
