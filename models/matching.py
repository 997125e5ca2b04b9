"""Where the tokens of another tokenizer lie in a text that they were made from."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from assay.models.vocabulary import WORD
from assay.tasks.errors import InputError
from assay.tasks.example import Span

_SEPARATORS = frozenset({"[SEP]", "</s>", "<sep>"})
_SPECIALS = _SEPARATORS | {"[CLS]", "[PAD]", "<s>", "<pad>", "<bos>", "<eos>", "<cls>", "<|endoftext|>"}
_UNKNOWN = frozenset({"[UNK]", "<unk>"})


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text as tokens are compared with it: characters that tokenizers change or drop are folded alike.

    starts: where each of `characters` stands in `text`.
    """

    text: str
    characters: str
    starts: tuple[int, ...]


def locate(tokens: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
    """The characters of each token, None for special tokens and others that have none.

    Tokens are words, or pieces as WordPiece ("##ing"), SentencePiece ("▁the") and byte-level tokenizers
    ("Ġthe") write them. Case, accents and white space do not count; an unknown token stands for a word. A
    separator, or the end of the first text, leads to the second; tokens may end before the texts do.
    Raises InputError on a token that is not what comes next.
    """
    folded = [_folded(text) for text in texts]
    segment, position, spans = 0, 0, []
    for number, token in enumerate(tokens):
        if token in _SPECIALS:
            if token in _SEPARATORS and position and segment + 1 < len(texts):
                segment, position = segment + 1, 0
            spans.append(None)
            continue
        if position == len(folded[segment].characters) and segment + 1 < len(texts):
            segment, position = segment + 1, 0
        text = folded[segment]
        length = _word_length(text, position) if token in _UNKNOWN else _length(text, position, token)
        if length is None:
            rest = text.text[text.starts[position] :][:20] if position < len(text.starts) else ""
            raise InputError(
                f"its token {number}, {token!r}, does not match the text, which "
                + (f"goes on with {rest!r}" if rest else "has ended")
                + "; expected the tokens of this very text, in order"
            )
        end = position + length
        spans.append(Span(text.starts[position], text.starts[end - 1] + 1, segment) if length else None)
        position = end
    return spans


def _length(text: _Folded, position: int, token: str) -> int | None:
    """How many folded characters the token takes from `position` on, None if it does not stand there."""
    # As it is first: a text may hold the very signs that tokenizers mark their pieces with.
    bare = token.removesuffix("</w>").removesuffix("@@").removeprefix("##").lstrip("Ġ▁Ċ")
    for form in (token, bare):
        expected = _folded_token(form)
        if text.characters.startswith(expected, position) and (expected or not bare):
            return len(expected)
    return None


def _word_length(text: _Folded, position: int) -> int | None:
    """How many folded characters are left of the word at `position`, None at the end of the text."""
    if position == len(text.starts):
        return None
    word = re.compile(WORD).match(text.text, text.starts[position])
    end = word.end() if word else text.starts[position] + 1
    return bisect_left(text.starts, end, position) - position


# A text comes once for each of its classes.
@lru_cache(maxsize=4)
def _folded(text: str) -> _Folded:
    pieces = [_folded_character(character) for character in text]
    starts = tuple(start for start, piece in enumerate(pieces) for _ in piece)
    return _Folded(text, "".join(pieces), starts)


@lru_cache(maxsize=4096)
def _folded_token(token: str) -> str:
    return "".join(map(_folded_character, token))


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    """One character without case and accents; nothing for white space and what is not to be seen."""
    wide = unicodedata.normalize("NFKD", character).casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", wide) if not _dropped(c))


def _dropped(character: str) -> bool:
    return (
        character.isspace()
        or character == "\N{REPLACEMENT CHARACTER}"
        or unicodedata.category(character) in ("Mn", "Cc", "Cf")
    )
