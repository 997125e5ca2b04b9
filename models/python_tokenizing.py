"""What tokenizers written in Python make of a text, which say nothing of where their tokens come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from transformers import PreTrainedTokenizer

from assay.models.encoding import TokenRecord
from assay.models.token_chunks import Aligner
from assay.models.token_spans import WORD_TELLING, Place, Token, mark_of, words_of
from assay.tasks.errors import InputError, shown

# Tokens of a vocabulary that are looked at for their mark.
LOOKED_AT = 20_000


class PythonReader:
    """Reads texts and pairs with a tokenizer written in Python, and finds where its tokens come from.

    Args:
        tokenizer: one whose call is `tokenize`, numbers for the tokens, and special tokens around them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizer) -> None:
        self._tokenizer = tokenizer
        self._whole = {*tokenizer.added_tokens_encoder, *map(str, tokenizer.all_special_tokens)}
        self._unknown = None if tokenizer.unk_token is None else str(tokenizer.unk_token)
        self._mark = _mark(tokenizer)
        self._aligner = Aligner(self._tokens, self._mark)

    def read(self, texts: Sequence[str]) -> TokenRecord:
        """The tokens of a text or pair, as the tokenizer's own call gives them to a network.

        Raises:
            InputError: where its call gives something else than its tokens and special tokens around them, or
                where their characters cannot be told.
        """
        first, *second = texts
        own = self._tokenizer(
            first, second[0] if second else None, truncation=False, padding=False, verbose=False
        )
        if None in own["input_ids"]:
            raise InputError(
                f"a {type(self._tokenizer).__name__} has no number for a token of {shown(' '.join(texts))}, "
                "nor one for unknown tokens; set its unk_token"
            )
        ids = [int(number) for number in own["input_ids"]]
        origins = self._origins(texts, ids)
        spans, words = [(0, 0)] * len(ids), [0] * len(ids)
        for segment, text in enumerate(texts):
            tokens = self._aligner.tokens(text)
            places = self._aligner.places(text)
            numbers = words_of(_written_out(text, tokens, places), self._mark)
            if self._mark in WORD_TELLING:
                places = _closed(text, places, numbers)
            at = [at for at, of in enumerate(origins) if of == segment]
            for index, place, word in zip(at, places, numbers, strict=True):
                spans[index], words[index] = place, word
        types = own["token_type_ids"] if "token_type_ids" in own else [0] * len(ids)
        strings = [str(token) for token in self._tokenizer.convert_ids_to_tokens(ids)]
        return TokenRecord(strings, ids, list(types), origins, spans, words)

    def _tokens(self, text: str) -> tuple[Token, ...]:
        return tuple(
            Token(token, token in self._whole, token == self._unknown)
            for token in self._tokenizer.tokenize(text)
        )

    def _origins(self, texts: Sequence[str], ids: Sequence[int]) -> list[int | None]:
        """The text of each token of the tokenizer's own call, None for special ones around the texts."""
        parts: list[list[int]] = []
        for segment, text in enumerate(texts):
            tokens = [token.text for token in self._aligner.tokens(text)]
            numbers = cast(list[int], self._tokenizer.convert_tokens_to_ids(tokens))
            parts.append([_Numbered.of(number, segment) for number in numbers])
        whole = self._tokenizer.build_inputs_with_special_tokens(*parts)
        found = [number for number in whole if isinstance(number, _Numbered)]
        if list(whole) != list(ids) or found != [number for part in parts for number in part]:
            raise InputError(
                f"a {type(self._tokenizer).__name__} reads {shown(texts[0])} in another way in its call than "
                "by `tokenize` and `build_inputs_with_special_tokens`, so its tokens have no place in "
                "the text; give an `encode` of your own to assay.models.adapters.TorchAdapter"
            )
        return [number.segment if isinstance(number, _Numbered) else None for number in whole]


class _Numbered(int):
    """The number of a token that knows its text, wherever special tokens are put around it."""

    segment: int

    @classmethod
    def of(cls, number: int, segment: int) -> _Numbered:
        made = cls(number)
        made.segment = segment
        return made


def _written_out(text: str, tokens: Sequence[Token], places: Sequence[Place]) -> list[Token]:
    """The tokens, whole where the text has them as they stand: an unknown token may be of any word."""
    return [
        token._replace(whole=token.whole and text[start:end] == token.text)
        for token, (start, end) in zip(tokens, places, strict=True)
    ]


def _closed(text: str, places: Sequence[Place], words: Sequence[int]) -> list[Place]:
    """The places; white space that is a token and ends a tokenizer's word has that of the token before."""
    found = list(places)
    for at in range(1, len(found)):
        ends = at == len(found) - 1 or words[at + 1] != words[at]
        if ends and words[at] == words[at - 1] and text[slice(*found[at])].isspace():
            found[at] = found[at - 1]
    return found


@lru_cache(8)
def _mark(tokenizer: PreTrainedTokenizer) -> str:
    """What the tokenizer's tokens carry, by a part of its vocabulary."""
    vocabulary = list(tokenizer.get_vocab())
    return mark_of(vocabulary[:: max(1, len(vocabulary) // LOOKED_AT)])
