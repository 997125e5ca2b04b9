"""Where the tokens of another tokenizer lie in a text that they were made from."""

from __future__ import annotations

import re
import unicodedata
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

    at: where each of `characters` stands in `text`.
    """

    text: str
    characters: str
    at: tuple[int, ...]


def locate(tokens: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
    """The characters of each token, None for special tokens and others that have none.

    Tokens are words, or pieces as WordPiece ("##ing"), SentencePiece ("▁the") and byte-level tokenizers
    ("Ġthe") write them. Case, accents and white space do not count; an unknown token stands for a word. A
    separator, or the end of the first text, leads to the second; tokens may end before the texts do.
    Raises InputError on a token that is not what comes next.
    """
    folded = [_folded(text) for text in texts]
    segment, at, found = 0, 0, []
    for number, token in enumerate(tokens):
        if token in _SPECIALS:
            if token in _SEPARATORS and at and segment + 1 < len(texts):
                segment, at = segment + 1, 0
            found.append(None)
            continue
        if at == len(folded[segment].characters) and segment + 1 < len(texts):
            segment, at = segment + 1, 0
        here = folded[segment]
        length = _unknown(here, at) if token in _UNKNOWN else _length(here, at, token)
        if length is None:
            follows = here.text[here.at[at] :][:20] if at < len(here.at) else ""
            raise InputError(
                f"its token {number}, {token!r}, does not match the text, which "
                + (f"goes on with {follows!r}" if follows else "has ended")
                + "; expected the tokens of this very text, in order"
            )
        found.append(Span(here.at[at], here.at[at + length - 1] + 1, segment) if length else None)
        at += length
    return found


def _length(here: _Folded, at: int, token: str) -> int | None:
    """How many folded characters the token takes from `at` on, None if it is not what stands there."""
    # As it is first: a text may hold the very signs that tokenizers mark their pieces with.
    bare = token.removesuffix("</w>").removesuffix("@@").removeprefix("##").lstrip("Ġ▁Ċ")
    for form in (token, bare):
        wanted = _folded_token(form)
        if here.characters.startswith(wanted, at) and (wanted or not bare):
            return len(wanted)
    return None


def _unknown(here: _Folded, at: int) -> int | None:
    """How many folded characters are left of the word at `at`."""
    if at == len(here.at):
        return None
    word = re.compile(WORD).match(here.text, here.at[at])
    end = word.end() if word else here.at[at] + 1
    return sum(1 for place in here.at[at : at + end - here.at[at]] if place < end)


# A text comes once for each of its classes.
@lru_cache(maxsize=4)
def _folded(text: str) -> _Folded:
    pieces = [(_folded_character(character), place) for place, character in enumerate(text)]
    at = tuple(place for piece, place in pieces for _ in piece)
    return _Folded(text, "".join(piece for piece, _ in pieces), at)


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
