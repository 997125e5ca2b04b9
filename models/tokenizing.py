"""Encodings from a fast Hugging Face tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
from transformers import PreTrainedTokenizerBase

from assay.models.encoding import Encoding
from assay.models.limit import Limit

# A call sets the tokenizer's truncation and padding, which fails while another thread encodes.
_TOKENIZER_LOCK = Lock()


def encode_texts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, ...]], limit: Limit
) -> list[Encoding]:
    """Encode texts and pairs with a fast tokenizer, its special tokens added.

    Tokens of the text carry the number of their text as segment whatever the tokenizer's own type ids;
    special tokens carry the latter. Leading and trailing white space is trimmed off the offsets, which some
    tokenizers include. Raises InputError on a text over the limit.
    """
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
            encodings[index] = limit.apply(_convert(backend, texts[index]), texts[index])
    return [encoding for encoding in encodings if encoding is not None]


def _convert(backend, texts: tuple[str, ...]) -> Encoding:
    """The tokenizers library's record as ours."""
    length = len(backend.ids)
    segments = np.array(backend.type_ids, dtype=np.int32).reshape(length)
    offsets = np.zeros((length, 2), dtype=np.int32)
    word_ids = np.full(length, -1, dtype=np.int32)
    last_seen: tuple[int, int | None] = (-1, None)
    word = -1
    for at, (segment, backend_word) in enumerate(zip(backend.sequence_ids, backend.word_ids, strict=True)):
        if segment is None:
            continue
        # A tokenizer without a notion of words gives None: then every token is a word.
        if backend_word is None or (segment, backend_word) != last_seen:
            word += 1
        last_seen = (segment, backend_word)
        segments[at] = segment
        word_ids[at] = word
        offsets[at] = _trim(texts[segment], *backend.offsets[at])
    return Encoding(tuple(backend.tokens), np.array(backend.ids, dtype=np.int32), segments, offsets, word_ids)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, end - (len(piece) - len(piece.rstrip())))
