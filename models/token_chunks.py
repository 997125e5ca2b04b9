"""The smallest parts of a text whose tokens, made of each part alone, are those of the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from assay.models.token_spans import Place, Token, matched
from assay.tasks.errors import InputError, shown

# Stands beside a part, for tokenizers that read a word in another way where nothing is beside it.
BESIDE = "x"
# Longer words are not cut between their characters.
LONGEST_CUT = 200

Tokens = tuple[Token, ...]
# Makes tokens of a text.
Reader = Callable[[str], Tokens]


class Chunk(NamedTuple):
    """A part of a text, what stands before and behind it where it is read, and its tokens."""

    start: int
    end: int
    lead: str
    tail: str
    tokens: Tokens


class Style(NamedTuple):
    """How parts are read: what stands beside them, and which of them has the white space between two."""

    lead: str = ""
    tail: str = ""
    space: str = "none"


STYLES = (Style(), Style(BESIDE, f" {BESIDE}", "behind"), Style(f"{BESIDE} ", BESIDE, "before"))


class Aligner:
    """Finds the characters of each token of a text.

    White space cuts a text where the tokens of the parts, each read alone or beside another word, make up
    those of the whole; so it is known which part a token is of. In a part, characters are matched in order.
    What was written anew ("HTTPURL" for an address) is narrowed down by cutting the word where its tokens
    divide; tokens that divide no further share their characters.

    Args:
        read: makes tokens of a text.
        mark: what they carry, see assay.models.token_spans.mark_of.
    """

    def __init__(self, read: Reader, mark: str) -> None:
        self._read = read
        self._mark = mark
        self._known: dict[str, Tokens] = {}
        self._aligned: dict[tuple[str, str, str, Tokens], list[Place]] = {}

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text."""
        if (found := self._known.get(text)) is None:
            found = self._known[text] = self._read(text)
        return found

    def places(self, text: str) -> list[Place]:
        """The characters of each token of `tokens(text)`, in order; tokens may share them.

        Raises:
            InputError: where they cannot be told.
        """
        found: list[Place] = []
        for chunk in self._chunks(text):
            part = text[chunk.start : chunk.end]
            key = part, chunk.lead, chunk.tail, chunk.tokens
            if (own := self._aligned.get(key)) is None:
                own = self._aligned[key] = self._within(part, chunk)
            found += [(chunk.start + start, chunk.start + end) for start, end in own]
        return found

    def _chunks(self, text: str) -> list[Chunk]:
        tokens, words = self.tokens(text), _words(text)
        if len(words) < 2:
            return [Chunk(0, len(text), "", "", tokens)]
        for style in STYLES:
            chunks = self._by_words(text, words, style)
            if chunks is not None and sum((chunk.tokens for chunk in chunks), ()) == tokens:
                return chunks
        return list(self._halves(text, words, Chunk(0, len(text), "", "", tokens)))

    def _by_words(self, text: str, words: list[Place], style: Style) -> list[Chunk] | None:
        """One chunk per word."""
        cuts = [_cut(style, end, start) for (_, end), (start, _) in pairwise(words)]
        starts, ends = [0, *(start for _, start in cuts)], [*(end for end, _ in cuts), len(text)]
        if style.space == "none":
            starts[0], ends[-1] = words[0][0], words[-1][1]
        found: list[Chunk] = []
        for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
            lead, tail = style.lead if at > 0 else "", style.tail if at < len(words) - 1 else ""
            tokens = self._beside(lead, text[start:end], tail)
            if tokens is None:
                return None
            found.append(Chunk(start, end, lead, tail, tokens))
        return found

    def _halves(self, text: str, words: list[Place], chunk: Chunk) -> Iterator[Chunk]:
        """The chunk, divided again and again at the white space nearest its middle at which it can be."""
        gaps = [
            (end, start)
            for (_, end), (start, _) in pairwise(words)
            if chunk.start < end and start < chunk.end
        ]
        middle = (chunk.start + chunk.end) / 2
        for gap in sorted(gaps, key=lambda gap: abs(gap[1] - middle)):
            for style in STYLES:
                end, start = _cut(style, *gap)
                left = self._beside(chunk.lead, text[chunk.start : end], style.tail)
                if left is None or chunk.tokens[: len(left)] != left:
                    continue
                right = self._beside(style.lead, text[start : chunk.end], chunk.tail)
                if right is not None and left + right == chunk.tokens:
                    before = Chunk(chunk.start, end, chunk.lead, style.tail, left)
                    behind = Chunk(start, chunk.end, style.lead, chunk.tail, right)
                    yield from self._halves(text, words, before)
                    yield from self._halves(text, words, behind)
                    return
        yield chunk

    def _beside(self, lead: str, text: str, tail: str) -> Tokens | None:
        """The tokens of a text that stands between others; None where theirs cannot be told from its own."""
        found = self.tokens(lead + text + tail)
        before, behind = self._of_beside(lead, tail)
        own = len(found) - len(before) - len(behind)
        if own < 0 or found[: len(before)] != before or found[len(before) + own :] != behind:
            return None
        return found[len(before) : len(before) + own]

    def _of_beside(self, lead: str, tail: str) -> tuple[Tokens, Tokens]:
        alone, both = self.tokens(BESIDE), self.tokens(f"{BESIDE} {BESIDE}")
        before = alone if lead == BESIDE else both[: len(both) - len(alone)]
        behind = alone if tail == BESIDE else both[len(alone) :]
        return before if lead else (), behind if tail else ()

    def _within(self, text: str, chunk: Chunk) -> list[Place]:
        """The characters of the tokens of one chunk, whose text is given."""
        tokens = chunk.tokens
        if not tokens:
            return []
        if (found := matched(text, tokens, self._mark)) is not None:
            return self._filled(text, tokens, found)
        if len(tokens) > 1 and (halves := self._inner(text, chunk)) is not None:
            (left, left_chunk), (right, right_chunk) = halves
            shift = right_chunk.start
            behind = [(shift + start, shift + end) for start, end in self._within(right, right_chunk)]
            return [*self._within(left, left_chunk), *behind]
        if len(tokens) > 1 and len(_words(text)) > 1:
            raise InputError(
                f"the tokens of {shown(text)} cannot be found in it, because the tokenizer writes its words "
                "anew across white space; leave the text out, or give an `encode` of your own to "
                "assay.models.adapters.TorchAdapter"
            )
        return [self._trimmed(text, 0, len(text))] * len(tokens)

    def _filled(self, text: str, tokens: Tokens, found: list[Place | None]) -> list[Place]:
        """With the places of unknown tokens, which are between those of the known ones."""
        places: list[Place] = []
        at = 0
        while at < len(tokens):
            if (place := found[at]) is not None:
                places.append(place)
                at += 1
                continue
            stop = next((n for n in range(at, len(tokens)) if found[n] is not None), len(tokens))
            behind = found[stop] if stop < len(tokens) else None
            start, end = places[-1][1] if places else 0, len(text) if behind is None else behind[0]
            part, own = text[start:end], tokens[at:stop]
            if len(own) > 1 and self.tokens(part) == own:
                inner = self._within_unknown(part, own)
                places += [(start + first, start + last) for first, last in inner]
            else:
                places += [self._trimmed(text, start, end)] * len(own)
            at = stop
        return places

    def _within_unknown(self, text: str, tokens: Tokens) -> list[Place]:
        """The characters of unknown tokens that stand together, cut where they divide."""
        halves = self._inner(text, Chunk(0, len(text), "", "", tokens)) if len(tokens) > 1 else None
        if halves is None:
            return [self._trimmed(text, 0, len(text))] * len(tokens)
        (left, left_chunk), (right, right_chunk) = halves
        shift = right_chunk.start
        behind = [(shift + a, shift + b) for a, b in self._within_unknown(right, right_chunk.tokens)]
        return [*self._within_unknown(left, left_chunk.tokens), *behind]

    def _inner(self, text: str, chunk: Chunk) -> tuple[tuple[str, Chunk], tuple[str, Chunk]] | None:
        """The two parts of a word at the one place where its tokens divide; None if there is none."""
        if len(text) > LONGEST_CUT:
            return None
        cuts: dict[int, list[int]] = {}
        for place in range(1, len(text)):
            left = self._beside(chunk.lead, text[:place], "")
            if not left or len(left) == len(chunk.tokens) or chunk.tokens[: len(left)] != left:
                continue
            right = self._beside("", text[place:], chunk.tail)
            if right is not None and left + right == chunk.tokens:
                cuts.setdefault(len(left), []).append(place)
        for count, places in sorted(cuts.items(), key=lambda cut: abs(2 * cut[0] - len(chunk.tokens))):
            first, last = places[0], places[-1]
            # Between two places that serve alike there is nothing that the tokenizer reads.
            if all(self._is_unread(sign) for sign in text[first:last]):
                left = Chunk(0, first, chunk.lead, "", chunk.tokens[:count])
                right = Chunk(last, len(text), "", chunk.tail, chunk.tokens[count:])
                return (text[:first], left), (text[last:], right)
        return None

    def _trimmed(self, text: str, start: int, end: int) -> Place:
        """Without the characters at both ends that the tokenizer does not read, if it reads any."""
        low, high = start, end
        while low < high and self._is_unread(text[low]):
            low += 1
        while low < high and self._is_unread(text[high - 1]):
            high -= 1
        return (low, high) if low < high else (start, end)

    def _is_unread(self, sign: str) -> bool:
        return sign.isspace() or not self.tokens(sign)


def _words(text: str) -> list[Place]:
    """The places of what white space divides."""
    words: list[Place] = []
    start: int | None = None
    for at, sign in enumerate(text):
        if sign.isspace():
            if start is not None:
                words.append((start, at))
            start = None
        elif start is None:
            start = at
    return words if start is None else [*words, (start, len(text))]


def _cut(style: Style, end: int, start: int) -> Place:
    """Where the part before a white space from end to start ends, and where the one behind it starts."""
    return {"none": (end, start), "behind": (end, end), "before": (start, start)}[style.space]
