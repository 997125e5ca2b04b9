"""Which characters and words tokens stand for, and which type ids a network reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import (
    LABELS,
    Foreign,
    bytes_trimmed,
    bytes_untrimmed,
    unigram,
    unigram_last,
    unigram_whole,
    wordpiece,
)
from tokenizers import pre_tokenizers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from assay.explainers.baselines import Delete, Pad
from assay.explainers.perturbation.units import units_of
from assay.explainers.protocol import Request
from assay.models.alignment import rationale_mask
from assay.models.batching import pad
from assay.models.encoding import Encoding
from assay.models.limit import Limit
from assay.models.masked_inputs import full_rows
from assay.models.tokenizing import encode_texts
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.tasks.example import Example, Span, Task

Build = Callable[[], PreTrainedTokenizerFast]
MARKED = [unigram, unigram_whole, unigram_last, bytes_trimmed, bytes_untrimmed]
TEXT = "中 film  and 中\n\nan é"


def with_prefix() -> PreTrainedTokenizerFast:
    """Byte-level with a mark in first place, too."""
    tokenizer = bytes_untrimmed()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=True, trim_offsets=False
    )
    return tokenizer


def one_type() -> PreTrainedTokenizerFast:
    """Gives type ids, 0 to both texts of a pair."""
    tokenizer = bytes_trimmed()
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer


def encode(build: Build, *texts: str) -> Encoding:
    (encoding,) = encode_texts(build(), [texts], Limit(1000))
    return encoding


@pytest.mark.parametrize("build", [*MARKED, with_prefix])
def test_a_bare_mark_belongs_to_the_piece_that_it_opens(build: Build):
    encoding = encode(build, TEXT)
    bare = [at for at, token in enumerate(encoding.tokens) if token in ("▁", "Ġ", "Ċ", "ĊĊ")]
    assert len(bare) >= 2
    for at in bare:
        assert encoding.offsets[at].tolist() == encoding.offsets[at + 1].tolist()
        assert encoding.word_ids[at] == encoding.word_ids[at + 1]
    words = [TEXT[s:e] for s, e in sorted({tuple(span) for span in words_of(encoding).values()})]
    assert words == TEXT.split()


def words_of(encoding: Encoding) -> dict[int, tuple[int, int]]:
    """The characters of every word."""
    content = encoding.word_ids >= 0
    return {
        int(word): (
            int(encoding.offsets[encoding.word_ids == word, 0].min()),
            int(encoding.offsets[encoding.word_ids == word, 1].max()),
        )
        for word in encoding.word_ids[content]
    }


@pytest.mark.parametrize("build", [*MARKED, with_prefix])
@pytest.mark.parametrize("place", [TEXT.index("中"), TEXT.rindex("中")])
def test_a_mark_is_of_the_rationale_wherever_its_piece_stands(build: Build, place: int):
    encoding = encode(build, TEXT)
    mask = rationale_mask(encoding, [Span(place, place + 1)], (TEXT,))
    words = set(encoding.word_ids[mask].tolist())
    assert len(words) == 1
    # The whole word, its mark included, and nothing else.
    assert mask.tolist() == (encoding.word_ids == words.pop()).tolist()


@pytest.mark.parametrize("build", MARKED)
def test_units_are_words_with_their_text_once(build: Build):
    example = Example("e", (TEXT,), (0,))
    units = units_of(Request(example, encode(build, TEXT), np.array([0])), "word")
    assert [text.strip() for text in units.texts] == TEXT.split()


@pytest.mark.parametrize("build", [wordpiece, *MARKED, with_prefix])
@pytest.mark.parametrize("token", ["<s>", "</s>", "<pad>", "<mask>", "<unk>"])
def test_a_special_token_that_is_written_out_is_one_word(build: Build, token: str):
    """As the network's own call reads it; test_foreign_checkpoints.py holds the answers equal."""
    tokenizer = build()
    if token not in tokenizer.special_tokens_map.values():
        assert encode(build, f"a film {token} a plot").content.sum() > 4
        return
    number = tokenizer.convert_tokens_to_ids(token)
    for texts in ((f"a film {token} a plot",), ("a plot", f"a film {token} a plot")):
        found = encode(build, *texts)
        (place,) = np.flatnonzero((found.ids == number) & found.content)
        start, end = found.offsets[place]
        assert texts[found.segments[place]][start:end] == token
        # Beside it the word has at most the mark of the space before it.
        assert {tuple(of) for of in found.offsets[found.word_ids == found.word_ids[place]]} == {(start, end)}


@pytest.mark.parametrize("build", [bytes_trimmed, bytes_untrimmed, with_prefix])
def test_tokens_that_share_a_character_are_one_word_and_marked_together(build: Build):
    """The bytes of an emoji are tokens of their own, all at its place."""
    text = "a 🙂 film 🙂🏽"
    encoding = encode(build, text)
    shared = [
        at for at, (start, end) in enumerate(encoding.offsets) if text[start:end] == "🙂" and start == 2
    ]
    assert len(shared) >= 3
    assert len(set(encoding.word_ids[shared].tolist())) == 1
    mask = rationale_mask(encoding, [Span(2, 3)], (text,))
    assert np.flatnonzero(mask).tolist() == shared
    units = units_of(Request(Example("e", (text,), (0,)), encoding, np.array([0])), "word")
    assert [unit.strip() for unit in units.texts] == text.split()


def test_a_tokenizer_without_offsets_is_read(tmp_path: Path):
    """Of what the library writes in Python; bytes need no vocabulary."""
    folder = Foreign("bert", wordpiece, {"vocab_size": 400}).save(tmp_path)
    for path in folder.glob("*token*"):
        path.unlink()
    ByT5Tokenizer().save_pretrained(folder)
    examples = tuple(Example(str(n), ("a film",), (n,)) for n in range(3))
    task = Task("bytes", LABELS, examples, examples, examples)
    model = Transformer(path=str(folder), training=Training(epochs=0)).untrained(task, 0)
    (encoding,) = model.encode([("a é",)])
    assert encoding.offsets[encoding.content].tolist() == [[0, 1], [2, 3], [2, 3], [2, 3]]
    assert encoding.word_ids.tolist() == [0, 1, 1, 1, -1]


def test_white_space_at_the_end_is_of_the_last_word():
    for build in MARKED:
        encoding = encode(build, "a film  \n ")
        assert encoding.word_ids[encoding.content].max() == 1
        assert encoding.offsets.max() == 6


def test_words_of_wordpieces_are_those_of_the_tokenizer():
    encoding = encode(wordpiece, "don't stop!")
    records = wordpiece()("don't stop!").word_ids()
    assert encoding.word_ids.tolist() == [-1 if word is None else word for word in records]


def test_segments_are_texts_and_type_ids_the_tokenizers():
    pair = "a good film", "an awful plot"
    for build, types in (
        (bytes_trimmed, {0}),
        (unigram, {0}),
        (wordpiece, {0, 1}),
        (unigram_last, {0, 1, 2}),
    ):
        encoding = encode(build, *pair)
        assert set(encoding.segments[encoding.content].tolist()) == {0, 1}
        assert set(encoding.type_ids.tolist()) == types
        assert pad([encoding], 0).segments[0].tolist() == encoding.type_ids.tolist()
        cut = replace(encoding).cut(np.arange(len(encoding)) != 2)
        assert cut.type_ids.tolist() == np.delete(encoding.type_ids, 2).tolist() and cut.truncated == 1


def test_rows_with_absent_tokens_keep_their_type_ids():
    encoding = encode(unigram_last, "a good film", "an awful plot")
    keep = np.ones((1, len(encoding)), dtype=bool)
    keep[0, 2] = False
    model: Any = type("Padded", (), {"pad_id": 1})
    assert full_rows(encoding).segments[0].tolist() == encoding.type_ids.tolist()
    assert Pad().rows(model, encoding, keep).segments[0].tolist() == encoding.type_ids.tolist()
    deleted = Delete().rows(model, encoding, keep).segments[0, : len(encoding) - 1]
    assert deleted.tolist() == np.delete(encoding.type_ids, 2).tolist()


@pytest.mark.parametrize("name", ["bert", "ernie", "electra"])
def test_a_network_of_two_types_reads_those_of_a_tokenizer_of_one(name: str, tmp_path: Path):
    """The second text was said to be of type 1, which this tokenizer does not say."""
    folder = Foreign(name, one_type).save(tmp_path)
    examples = tuple(Example(str(n), ("a film", "the plot"), (n,)) for n in range(3))
    task = Task("pairs", LABELS, examples, examples, examples)
    model = Transformer(path=str(folder), training=Training(epochs=0)).untrained(task, 0)
    pair = "a good film", "an awful plot"
    with torch.no_grad():
        own = model.network(**model.tokenizer(*pair, return_tensors="pt")).logits
        found = model.logits(pad(model.encode([pair]), model.pad_id))
    torch.testing.assert_close(found, own, atol=1e-5, rtol=0)
