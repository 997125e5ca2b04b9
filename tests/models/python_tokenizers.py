"""Tokenizers written in Python, of many kinds, with vocabularies made here."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy
from transformers.models.bert_japanese.tokenization_bert_japanese import BertJapaneseTokenizer
from transformers.models.bertweet.tokenization_bertweet import BertweetTokenizer
from transformers.models.byt5.tokenization_byt5 import ByT5Tokenizer
from transformers.models.canine.tokenization_canine import CanineTokenizer
from transformers.models.flaubert.tokenization_flaubert import FlaubertTokenizer
from transformers.models.phobert.tokenization_phobert import PhobertTokenizer

# What byte-level BPE writes for each byte.
SIGNS: dict[int, str] = bytes_to_unicode()
WORDS = (
    "film",
    "good",
    "awful",
    "music",
    "plot",
    "the",
    "and",
    "user",
    "film!",
    "do",
    "n't",
    "HTTPURL",
    "@USER",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = (
    *SPECIALS,
    *LETTERS,
    *("##" + letter for letter in LETTERS),
    *(
        "film",
        "##ing",
        "good",
        "the",
        "中",
        "文",
        "日",
        "é",
        "##é",
        "'",
        "-",
        "!",
        ".",
        "a\u0308",
        "ᄒ",
        "##ᅡ",
        "##ᆫ",
    ),
)


def wordpieces(folder: Path, *, lower: bool = True) -> PreTrainedTokenizer:
    """BERT's first tokenizer."""
    return BertTokenizerLegacy(_lines(folder, PIECES), do_lower_case=lower, model_input_names=list(INPUTS))


def fast_wordpieces(*, lower: bool = True) -> PreTrainedTokenizerFast:
    """The fast twin of `wordpieces`."""
    inside = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    inside.normalizer = normalizers.BertNormalizer(lowercase=lower)
    inside.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", PIECES.index("[CLS]")), ("[SEP]", PIECES.index("[SEP]"))]
    inside.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {f"{name.strip('[]').lower()}_token": name for name in SPECIALS}
    return PreTrainedTokenizerFast(tokenizer_object=inside, model_input_names=list(INPUTS), **names)


def bertweet(folder: Path, *, normalization: bool = False) -> BertweetTokenizer:
    """BERTweet's, with the package of emoji or without."""
    tokenizer = BertweetTokenizer(*_continued(folder), normalization=normalization)
    tokenizer.demojizer = lambda sign: {"🙂": ":smile:"}.get(sign, sign)
    return tokenizer


def tweets(folder: Path) -> BertweetTokenizer:
    """BERTweet's that writes users, addresses and emoji anew."""
    return bertweet(folder, normalization=True)


def phobert(folder: Path) -> PhobertTokenizer:
    """PhoBERT's."""
    return PhobertTokenizer(*_continued(folder))


def flaubert(folder: Path) -> FlaubertTokenizer:
    """FlauBERT's, which marks where words end."""
    merges = [pair for word in WORDS for pair in _merges(word)]
    vocabulary = ["<s>", "</s>", "<pad>", "<unk>", *(f"<special{at}>" for at in range(10))]
    for sign in (*LETTERS, *"!.,'-@:"):
        vocabulary += [sign, f"{sign}</w>"]
    vocabulary += [left + right for left, right in merges]
    places = folder / "vocab.json", folder / "merges.txt"
    places[0].write_text(json.dumps({token: at for at, token in enumerate(dict.fromkeys(vocabulary))}))
    places[1].write_text("".join(f"{left} {right} 1\n" for left, right in merges))
    with moses():
        return FlaubertTokenizer(*map(str, places), do_lowercase=True)


def characters(folder: Path) -> BertJapaneseTokenizer:
    """Japanese BERT's of characters."""
    signs = tuple(piece for piece in PIECES if not piece.startswith("##"))
    return BertJapaneseTokenizer(_lines(folder, signs), subword_tokenizer_type="character")


def byte_tokens(folder: Path) -> ByT5Tokenizer:
    """ByT5's."""
    return ByT5Tokenizer(extra_ids=2)


def code_points(folder: Path) -> CanineTokenizer:
    """CANINE's."""
    return CanineTokenizer()


class Listed(PreTrainedTokenizer):
    """One whose vocabulary is a list, as those below."""

    pieces: tuple[str, ...] = ()

    def __init__(self, **settings: Any) -> None:
        self._vocabulary = {
            piece: at for at, piece in enumerate(("<pad>", "<unk>", "<s>", "</s>", *self.pieces))
        }
        names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
        super().__init__(special_tokens_pattern="cls_sep", **{**names, **settings})

    @property
    def vocab_size(self) -> int:
        return len(self._vocabulary)

    def get_vocab(self) -> dict[str, int]:
        return {**self._vocabulary, **self.added_tokens_encoder}

    def _convert_token_to_id(self, token: str) -> int:
        return self._vocabulary.get(token, 1)

    def _convert_id_to_token(self, index: int) -> str:
        return list(self._vocabulary)[index]

    def _longest(self, text: str) -> list[str]:
        tokens, start = [], 0
        while start < len(text):
            end = next(
                (end for end in range(len(text), start, -1) if text[start:end] in self._vocabulary), start + 1
            )
            tokens.append(text[start:end])
            start = end
        return tokens


class Pieces(Listed):
    """As SentencePiece: white space is a mark before words, characters are normalised."""

    pieces = ("▁", "▁film", "▁the", "▁go", "od", "ing", "aw", "▁中", "文", *LETTERS, *"!.1/")

    def _tokenize(self, text: str, **settings: Any) -> list[str]:
        words = unicodedata.normalize("NFKC", text).split()
        return self._longest("".join(f"▁{word}" for word in words))


class ByteLevel(Listed):
    """As RoBERTa's: pieces of bytes, white space of the word behind it."""

    pieces = (*SIGNS.values(), "Ġfilm", "Ġthe", "Ġgo", "od", "film")

    def _tokenize(self, text: str, **settings: Any) -> list[str]:
        found: list[str] = []
        for word in re.findall(r"\s?\S+|\s+", text):
            found += self._longest("".join(SIGNS[byte] for byte in word.encode()))
        return found


def pieces(folder: Path) -> Pieces:
    """See `Pieces`."""
    return Pieces()


def byte_level(folder: Path) -> ByteLevel:
    """See `ByteLevel`."""
    return ByteLevel()


Build = Callable[[Path], PreTrainedTokenizer]
BUILDS: tuple[Build, ...] = (
    *(
        wordpieces,
        bertweet,
        tweets,
        phobert,
        flaubert,
        characters,
        byte_tokens,
        code_points,
        pieces,
        byte_level,
    ),
)


@contextmanager
def moses() -> Iterator[None]:
    """A stand-in for the package of Moses' tokenizer, which FlauBERT's asks for when it is made."""
    own = sys.modules.get("sacremoses")

    def tokenize(text: str, **settings: Any) -> list[str]:
        return re.findall(r"\w+|[^\w\s]", text)

    sys.modules["sacremoses"] = SimpleNamespace(  # type: ignore[assignment]
        MosesPunctNormalizer=lambda lang: SimpleNamespace(normalize=lambda text: text.replace("…", "...")),
        MosesTokenizer=lambda lang: SimpleNamespace(tokenize=tokenize),
    )
    try:
        yield
    finally:
        if own is None:
            del sys.modules["sacremoses"]
        else:
            sys.modules["sacremoses"] = own


def _lines(folder: Path, pieces: tuple[str, ...]) -> str:
    path = folder / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return str(path)


def _merges(word: str) -> list[tuple[str, str]]:
    """What makes one token of a word."""
    signs = [*word[:-1], word[-1] + "</w>"]
    return [("".join(signs[:at]), signs[at]) for at in range(1, len(signs))]


def _continued(folder: Path) -> tuple[str, str]:
    """The files of BPE whose pieces end in @@ where the word goes on."""
    merges = [pair for word in WORDS for pair in _merges(word)]
    vocabulary = [f"{sign}{mark}" for sign in (*LETTERS, *"!.,'-@:") for mark in ("", "@@")]
    vocabulary += [word for word in WORDS] + [
        f"{left}{right}@@" for left, right in merges if "</w>" not in right
    ]
    places = folder / "vocab.txt", folder / "bpe.codes"
    places[0].write_text("".join(f"{token} 1\n" for token in dict.fromkeys(vocabulary)))
    places[1].write_text("".join(f"{left} {right} 1\n" for left, right in merges))
    return str(places[0]), str(places[1])
