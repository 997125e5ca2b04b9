"""Encodings from a Hugging Face tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizer, PreTrainedTokenizerBase

from assay.models.encoding import Encoding, TokenRecord
from assay.models.limit import Limit
from assay.models.python_tokenizing import PythonReader
from assay.tasks.errors import InputError

# What SentencePiece and byte-level tokenizers write for the space before a word.
WORD_MARKS = "▁Ġ"

# A call sets the tokenizer's truncation and padding, which fails while another thread encodes. Tokenizers
# written in Python keep what they have made of words.
_TOKENIZER_LOCK = Lock()


def encode_texts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, ...]], limit: Limit
) -> list[Encoding]:
    """Encode texts and pairs with a tokenizer, its special tokens added.

    `PythonReader` finds the offsets of a tokenizer that is written in Python and gives none. Type ids are the
    tokenizer's own. Tokens of the text carry the number of their text as segment, special tokens their type
    id. Leading and trailing white space is trimmed off the offsets, which some tokenizers include; a mark
    that stands alone belongs to the piece that it opens. A special token that is written out in a text is
    read as such, as by the network's own call, and is a word of the text. Raises InputError on a text over
    the limit, and on one whose tokens have no place in it that can be told.
    """
    if not tokenizer.is_fast:
        check_tokenizer(tokenizer, "the model")
        assert isinstance(tokenizer, PreTrainedTokenizer)
        with _TOKENIZER_LOCK:
            reader = PythonReader(tokenizer)
            found = [reader.read(text) for text in texts]
        return [limit.apply(_convert(one, text), text) for one, text in zip(found, texts, strict=True)]
    encodings: list[Encoding | None] = [None] * len(texts)
    for arity in (1, 2):
        chosen = [index for index, text in enumerate(texts) if len(text) == arity]
        if not chosen:
            continue
        first, *second = ([texts[index][segment] for index in chosen] for segment in range(arity))
        # Cut by `limit` rather than here, where the tokenizer's rules for pairs differ from the words'.
        with _TOKENIZER_LOCK:
            records = tokenizer(
                first, second[0] if second else None, truncation=False, padding=False, verbose=False
            ).encodings
        assert records is not None
        for index, backend in zip(chosen, records, strict=True):
            encodings[index] = limit.apply(_convert(_record(backend), texts[index]), texts[index])
    return [encoding for encoding in encodings if encoding is not None]


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Raise InputError on a tokenizer of the model of that name whose tokens have no place in a text."""
    if not (tokenizer.is_fast or isinstance(tokenizer, PreTrainedTokenizer)):
        raise InputError(
            f"{name} has a {type(tokenizer).__name__}, which neither has a tokenizer.json nor is one that "
            "transformers has in Python, so its tokens have no offsets; expected one of these, or give an "
            "`encode` of your own to assay.models.adapters.TorchAdapter"
        )


def own_inputs(tokenizer: PreTrainedTokenizerBase, texts: tuple[str, ...]) -> dict[str, Tensor]:
    """What the tokenizer's own call makes of one text or pair for its network, as one row."""
    first, *second = texts
    with _TOKENIZER_LOCK:
        return dict(tokenizer(first, second[0] if second else None, return_tensors="pt", verbose=False))


def _record(backend) -> TokenRecord:
    """The tokenizers library's record as ours."""
    # Each of these makes a list of all tokens.
    return TokenRecord(
        backend.tokens,
        backend.ids,
        backend.type_ids,
        backend.sequence_ids,
        backend.offsets,
        backend.word_ids,
    )


def _convert(record: TokenRecord, texts: tuple[str, ...]) -> Encoding:
    """The encoding of a text or pair."""
    tokens, spans, words = record.tokens, record.spans, record.words
    length = len(tokens)
    type_ids = np.array(record.type_ids, dtype=np.int32).reshape(length)
    segments = np.clip(type_ids, 0, len(texts) - 1)
    offsets = np.zeros((length, 2), dtype=np.int32)
    word_ids = np.full(length, -1, dtype=np.int32)
    word = -1
    for segment, text in enumerate(texts):
        places = [at for at, of in enumerate(record.origins) if of == segment]
        pieces = _pieces(text, [(tokens[at], spans[at], words[at]) for at in places])
        before: _Piece | None = None
        for at, piece in zip(places, pieces, strict=True):
            word += before is None or _opens_word(text, before, piece)
            before = piece
            segments[at], offsets[at], word_ids[at] = segment, (piece.start, piece.end), word
    return Encoding(
        tuple(tokens),
        np.array(record.ids, dtype=np.int32),
        segments,
        offsets,
        word_ids,
        own_type_ids=None if np.array_equal(type_ids, segments) else type_ids,
    )


class _Piece(NamedTuple):
    """Where a token's characters are, and which of the tokenizer's words it belongs to, if it knows words."""

    start: int
    end: int
    word: int | None


def _pieces(text: str, tokens: Sequence[tuple[str, tuple[int, int], int | None]]) -> list[_Piece]:
    """The pieces of a text from each token's string, offsets and word.

    A token without characters of its own, such as the mark of a word that no piece of the vocabulary begins,
    gets those of the piece that it opens. What opens none ends the piece before it.
    """
    pieces = [_trim(text, *offsets, word) for _, offsets, word in tokens]
    bare = [_is_bare(text, token, piece) for (token, _, _), piece in zip(tokens, pieces, strict=True)]
    for at in reversed(range(len(pieces) - 1)):
        if bare[at] and not bare[at + 1]:
            pieces[at], bare[at] = pieces[at + 1], False
    for at in range(1, len(pieces)):
        if bare[at]:
            pieces[at] = _Piece(pieces[at - 1].end, pieces[at - 1].end, pieces[at - 1].word)
    return pieces


def _trim(text: str, start: int, end: int, word: int | None) -> _Piece:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return _Piece(start, max(start, end - (len(piece) - len(piece.rstrip()))), word)


def _is_bare(text: str, token: str, piece: _Piece) -> bool:
    """Whether a token has no characters of its own: white space, or a mark at the place of another piece."""
    written = text[piece.start : piece.end].strip(WORD_MARKS)
    return piece.start == piece.end or (not token.strip(WORD_MARKS) and written != "")


def _opens_word(text: str, before: _Piece, piece: _Piece) -> bool:
    """Whether a piece begins another word than the one before it."""
    if piece.start == piece.end or piece[:2] == before[:2]:
        return False
    # A tokenizer without a notion of words gives None: then every piece is a word. One that does not split
    # texts before it cuts them says the same of all pieces: then white space divides words.
    same = piece.word is not None and piece.word == before.word
    return not same or any(map(str.isspace, text[before.end : piece.start]))
