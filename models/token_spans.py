"""Where tokens lie in a text: their characters, without marks, matched with the text's in order."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

# What tokenizers write into their tokens: WordPiece before a piece that continues a word, BPE behind one that
# is continued or behind one that ends a word, SentencePiece and byte-level BPE for the space before a word.
PREFIXES, SUFFIXES = ("##", "▁", "Ġ"), ("@@", "</w>")
# They tell which tokens are of one word; white space does where none is carried.
WORD_TELLING = ("##", "@@", "</w>")
# A mark is a tokenizer's where at least so many of its tokens carry it.
LEAST_SHARE = 0.01
BYTE_LEVEL, BYTES = "Ġ", 256
# Typographic marks, and those for which tokenizers write them.
PLAIN_MARKS = str.maketrans(
    {**dict.fromkeys("‘’‚´`", "'"), **dict.fromkeys("“”„«»", '"'), "–": "-", "—": "-"}
)

# Half-open, in characters.
Place = tuple[int, int]
# What is compared: characters of one spelling, or bytes.
Atoms = Sequence[str] | bytes


class Token(NamedTuple):
    """A token as its tokenizer writes it.

    whole: it is in the vocabulary as it stands in a text, such as a special token, and carries no mark.
    unknown: it may stand for characters that the tokenizer does not know.
    """

    text: str
    whole: bool = False
    unknown: bool = False


def mark_of(vocabulary: Sequence[str]) -> str:
    """The mark of a tokenizer's tokens, "" if they carry none."""
    counts = {mark: sum(_carries(token, mark) for token in vocabulary) for mark in (*PREFIXES, *SUFFIXES)}
    mark = max(counts, key=lambda mark: counts[mark])
    return mark if counts[mark] > LEAST_SHARE * len(vocabulary) else ""


def _carries(token: str, mark: str) -> bool:
    return token != mark and (token.startswith(mark) if mark in PREFIXES else token.endswith(mark))


def words_of(tokens: Sequence[Token], mark: str) -> list[int]:
    """Which of the tokenizer's words each token is of; all of one where its marks tell nothing of words."""
    words = [0] * len(tokens)
    for at in range(1, len(tokens)):
        before, token = tokens[at - 1], tokens[at]
        opens = before.whole or token.whole
        if mark == "##":
            opens = opens or not _carries(token.text, mark)
        elif mark == "@@":
            opens = opens or not _carries(before.text, mark)
        elif mark == "</w>":
            opens = opens or before.text.endswith(mark)
        words[at] = words[at - 1] + opens
    return words


def matched(text: str, tokens: Sequence[Token], mark: str) -> list[Place | None] | None:
    """The places of tokens in a text of which nothing else is read.

    Args:
        text: what the tokens were made of.
        tokens: all of them, in order.
        mark: see `mark_of`.

    Returns:
        The characters of each token, None for unknown tokens between the places of their neighbours; or None
        where the tokens' characters are not the text's, or may be at more than one place of it.
    """
    known = not any(token.unknown for token in tokens)
    # An unknown token may be written out in the text, so first it is looked for as it is.
    for unknowns in (False,) if known else (False, True):
        for surfaces in _surfaces(tokens, mark, unknowns=unknowns):
            for written, own in _spellings(text, surfaces):
                if (found := _match(written, own, len(text))) is not None:
                    return found
    return None


def _surfaces(tokens: Sequence[Token], mark: str, *, unknowns: bool) -> Iterator[list[str | bytes | None]]:
    """What the tokens may say of the text, without marks; None for an unknown one."""
    hidden = [unknowns and token.unknown for token in tokens]
    for read in (_unmarked, _as_written, _single_bytes):
        if read is _as_written and not mark:
            continue
        surfaces = read(tokens, mark)
        if surfaces is not None:
            yield [None if hide else surface for hide, surface in zip(hidden, surfaces, strict=True)]


def _as_written(tokens: Sequence[Token], mark: str) -> list[str | bytes]:
    return [token.text for token in tokens]


def _unmarked(tokens: Sequence[Token], mark: str) -> list[str | bytes] | None:
    """Without the marks. The first token of a text continues none, and the last one is not continued."""
    if mark == BYTE_LEVEL:
        table = _byte_level()
        if not all(token.whole or all(sign in table for sign in token.text) for token in tokens):
            return None
        return [
            _encoded(token.text) if token.whole else bytes(table[sign] for sign in token.text)
            for token in tokens
        ]
    texts = [token.text for token in tokens]
    for at, token in enumerate(tokens):
        if token.whole:
            continue
        if mark == "##" and at > 0:
            texts[at] = token.text.removeprefix(mark)
        elif mark == "▁":
            texts[at] = token.text.replace(mark, " ")
        elif mark == "</w>" or (mark == "@@" and at < len(tokens) - 1):
            texts[at] = token.text.removesuffix(mark)
    return list(texts)


def _single_bytes(tokens: Sequence[Token], mark: str) -> list[str | bytes] | None:
    """Tokens that are one byte each, written as the character of that number."""
    if not all(token.whole or (len(token.text) == 1 and ord(token.text) < BYTES) for token in tokens):
        return None
    return [_encoded(token.text) if token.whole else bytes([ord(token.text)]) for token in tokens]


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


@cache
def _byte_level() -> dict[str, int]:
    """The byte that each character of byte-level BPE stands for (Radford et al., 2019)."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), BYTES)]
    others = [number for number in range(BYTES) if number not in printed]
    return {chr(number): number for number in printed} | {
        chr(BYTES + at): number for at, number in enumerate(others)
    }


def _spellings(
    text: str, surfaces: Sequence[str | bytes | None]
) -> Iterator[tuple[list[Atoms], list[Atoms | None]]]:
    """The atoms of each character and of each token, from the text as it is to letters without accents."""
    if any(isinstance(surface, bytes) for surface in surfaces):
        own = [surface if isinstance(surface, bytes) else None for surface in surfaces]
        yield [_encoded(sign) for sign in text], list(own)
        yield (
            [_without_spaces(_encoded(sign)) for sign in text],
            [None if surface is None else _without_spaces(surface) for surface in own],
        )
        return
    for spell in (str, _spaceless, _decomposed, _caseless, _plain, _printed, _bare):
        yield (
            [spell(sign) for sign in text],
            [None if surface is None else "".join(map(spell, str(surface))) for surface in surfaces],
        )


def _without_spaces(data: bytes) -> bytes:
    return bytes(byte for byte in data if not chr(byte).isspace() or byte > 127)


def _spaceless(sign: str) -> str:
    return "" if sign.isspace() else sign


@lru_cache(1 << 14)
def _decomposed(sign: str) -> str:
    return "".join(map(_spaceless, unicodedata.normalize("NFKD", sign)))


@lru_cache(1 << 14)
def _caseless(sign: str) -> str:
    return _decomposed(_decomposed(sign).casefold())


@lru_cache(1 << 14)
def _plain(sign: str) -> str:
    return _caseless(sign.translate(PLAIN_MARKS))


@lru_cache(1 << 14)
def _printed(sign: str) -> str:
    return "".join(
        part for part in _plain(sign) if part != "\ufffd" and not unicodedata.category(part).startswith("C")
    )


@lru_cache(1 << 14)
def _bare(sign: str) -> str:
    return "".join(part for part in _printed(sign) if unicodedata.category(part) != "Mn")


def _match(written: list[Atoms], own: list[Atoms | None], length: int) -> list[Place | None] | None:
    """The characters of each token, if they can be told for certain."""
    atoms: list[str | int] = [atom for sign in written for atom in sign]
    signs = [at for at, sign in enumerate(written) for _ in sign]
    starts = _starts(atoms, own)
    if starts is None:
        return None
    places: list[Place | None] = []
    for start, surface in zip(starts, own, strict=True):
        if start is None or surface is None:
            places.append(None)
        elif len(surface) > 0:
            places.append((signs[start], signs[start + len(surface) - 1] + 1))
        else:
            # Of what no atom was made, it has what its neighbours leave.
            before = signs[start - 1] + 1 if start > 0 else 0
            behind = signs[start] if start < len(atoms) else length
            places.append((min(before, behind), behind if before <= behind else before))
    return places


def _starts(atoms: list[str | int], own: list[Atoms | None]) -> list[int | None] | None:
    """The atom at which each token starts, None for unknown ones; None where there is not just one way."""
    runs: list[list[int]] = [[]]
    unknown: list[int] = []
    for at, surface in enumerate(own):
        if surface is not None:
            runs[-1].append(at)
        elif at > 0 and own[at - 1] is None:
            unknown[-1] += 1
        else:
            unknown.append(1)
            runs.append([])
    parts = [[atom for at in run for atom in own[at] or ()] for run in runs]
    first = _embedded(atoms, parts, unknown)
    last = _embedded(atoms[::-1], [part[::-1] for part in parts[::-1]], unknown[::-1])
    if first is None or last is None:
        return None
    mirrored = [len(atoms) - start - len(part) for start, part in zip(last[::-1], parts, strict=True)]
    if first != mirrored:
        return None
    starts: list[int | None] = [None] * len(own)
    for begin, run in zip(first, runs, strict=True):
        place = begin
        for at in run:
            starts[at], place = place, place + len(own[at] or ())
    return starts


def _embedded(atoms: list[str | int], parts: list[list[str | int]], unknown: list[int]) -> list[int] | None:
    """The earliest places of parts that stand in order, each behind as many other atoms as are unknown.

    The first part begins the text and the last one ends it.
    """
    places: list[int] = []
    end = 0
    for at, part in enumerate(parts):
        low = end + (unknown[at - 1] if at > 0 else 0)
        high = len(atoms) - len(part)
        if at == len(parts) - 1:
            low = high if low <= high else high + 1
        if at == 0:
            high = min(high, 0)
        place = next(
            (start for start in range(low, high + 1) if atoms[start : start + len(part)] == part), None
        )
        if place is None:
            return None
        places.append(place)
        end = place + len(part)
    return places
