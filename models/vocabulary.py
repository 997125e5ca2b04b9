"""Words, and the numbers that small models know them by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from assay.models.encoding import Encoding
from assay.models.limit import Limit
from assay.tasks.errors import InputError

WORD = r"\w+|[^\w\s]"
PAD, UNK, MASK, SEP = 0, 1, 2, 3
SPECIALS = ("[PAD]", "[UNK]", "[MASK]", "[SEP]")


class Word(NamedTuple):
    """A word as written, and its half-open character range."""

    text: str
    start: int
    end: int


def find_words(text: str, pattern: str = WORD) -> list[Word]:
    """The words of a text in order; by default runs of letters and digits, and every other mark by itself."""
    return [Word(match.group(), *match.span()) for match in re.finditer(pattern, text)]


class Vocabulary:
    """The known words: `words[id]` is the lower-cased word, the four special tokens come first."""

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[: len(SPECIALS)]) != SPECIALS:
            raise InputError(f"a vocabulary must begin with {', '.join(SPECIALS)}; this one does not")
        if len(set(words)) != len(words):
            raise InputError("a vocabulary must hold every word once; this one repeats some")
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def id(self, word: str) -> int:
        """The id of a word in any case; that of [UNK] for an unknown one."""
        return self._ids.get(word.lower(), UNK)

    def encode(self, texts: Sequence[tuple[str, ...]], limit: Limit) -> list[Encoding]:
        """Encode texts, or pairs as first [SEP] second.

        Raises InputError on a text without a word, or over a limit that says so.
        """
        return [limit.apply(encode_words(text, self.id, SEP), text) for text in texts]


def build_vocabulary(texts: Iterable[tuple[str, ...]], *, min_count: int, max_words: int) -> Vocabulary:
    """The vocabulary of training texts: words seen `min_count` times, the `max_words` most frequent ones.

    Equally frequent words are in alphabetical order, so the ids do not depend on the order of the texts.
    Raises InputError without texts.
    """
    texts = list(texts)
    if not texts:
        raise InputError("there are no training texts to take words from; give the task some")
    counts = Counter(word.text.lower() for pair in texts for text in pair for word in find_words(text))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Vocabulary([*SPECIALS, *(word for word, count in ranked[:max_words] if count >= min_count)])


def encode_words(
    texts: tuple[str, ...], number: Callable[[str], int], separator: int, pattern: str = WORD
) -> Encoding:
    """One text, or a pair as first [SEP] second, with `number(word)` as ids."""
    tokens: list[str] = []
    rows: list[tuple[int, int, int, int, int]] = []  # id, segment, start, end, word id
    for segment, text in enumerate(texts):
        if segment:
            tokens.append(SPECIALS[SEP])
            rows.append((separator, 0, 0, 0, -1))
        for word in find_words(text, pattern):
            tokens.append(word.text)
            rows.append((number(word.text), segment, word.start, word.end, len(rows) - segment))
    if len(tokens) < len(texts):
        raise InputError(f"the text {texts[0][:40]!r} has no words; every text needs at least one")
    table = np.array(rows, dtype=np.int32)
    return Encoding(tuple(tokens), table[:, 0], table[:, 1], table[:, 2:4], table[:, 4])
