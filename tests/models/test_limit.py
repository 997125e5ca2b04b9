"""How texts over a model's limit are cut: as the tokenizers library does it, and counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from assay.models.encoding import Encoding
from assay.models.limit import Limit, visible
from assay.models.tokenizing import encode_texts
from assay.models.vocabulary import SEP, Vocabulary
from assay.tasks.errors import InputError

LETTERS = "abcdefgh"
VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "[MASK]", "[SEP]", *LETTERS])


def _bert() -> PreTrainedTokenizerFast:
    """[CLS] first [SEP] second [SEP], every letter a piece."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + letter for letter in LETTERS)]
    inside = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    inside.pre_tokenizer = pre_tokenizers.Whitespace()
    inside.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(tokenizer_object=inside, pad_token="[PAD]", unk_token="[UNK]")


def _roberta() -> PreTrainedTokenizerFast:
    """<s> first </s></s> second </s>, bytes as pieces, a word's first piece with the space before it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *alphabet]
    inside = Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(pieces)}, merges=[]))
    inside.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inside.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(tokenizer_object=inside, pad_token="<pad>", unk_token="<unk>")


TOKENIZERS: dict[str, PreTrainedTokenizerFast] = {"bert": _bert(), "roberta": _roberta()}
TEXTS = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=12).map(" ".join)


def _theirs(
    tokenizer: PreTrainedTokenizerFast, texts: tuple[str, ...], most: int, side: str, strategy: str
) -> list[int]:
    tokenizer.truncation_side = side
    first, second = texts[0], texts[1] if len(texts) > 1 else None
    return tokenizer(first, second, truncation=strategy, max_length=most, padding=False)["input_ids"]


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=250, deadline=None)
@given(
    first=TEXTS, second=st.none() | TEXTS, most=st.integers(6, 40), side=st.sampled_from(["right", "left"])
)
def test_cut_texts_are_those_of_the_tokenizers_library(
    kind: str, first: str, second: str | None, most: int, side: str
) -> None:
    texts = (first,) if second is None else (first, second)
    limit = Limit(most, "truncate", truncate_side=side)
    (ours,) = encode_texts(TOKENIZERS[kind], [texts], limit)
    assert ours.ids.tolist() == _theirs(TOKENIZERS[kind], texts, most, side, "longest_first")
    (whole,) = encode_texts(TOKENIZERS[kind], [texts], Limit(1000))
    assert ours.truncated == len(whole) - len(ours)
    words = ours.word_ids[ours.content]
    assert words[0] == 0 and set(np.diff(words)) <= {0, 1}


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("strategy", ["only_first", "only_second"])
@settings(max_examples=100, deadline=None)
@given(first=TEXTS, second=TEXTS, most=st.integers(6, 40), side=st.sampled_from(["right", "left"]))
def test_one_text_of_a_pair_is_cut_alone(
    kind: str, strategy: str, first: str, second: str, most: int, side: str
) -> None:
    tokenizer, texts = TOKENIZERS[kind], (first, second)
    limit = Limit(most, "truncate", truncate=strategy, truncate_side=side)
    (whole,) = encode_texts(tokenizer, [texts], Limit(1000))
    cut = ("only_first", "only_second").index(strategy)
    room = int((whole.content & (whole.segments == cut)).sum())
    if len(whole) - most >= room:
        with pytest.raises(
            InputError, match=rf"do not fit .* by model.truncate={strategy}; set model.truncate"
        ):
            encode_texts(tokenizer, [texts], limit)
    else:
        (ours,) = encode_texts(tokenizer, [texts], limit)
        assert ours.ids.tolist() == _theirs(tokenizer, texts, most, side, strategy)


def _words(*texts: str) -> Callable[[Limit], Encoding]:
    return lambda limit: VOCABULARY.encode([texts], limit)[0]


def test_word_models_cut_pairs_by_the_same_rule() -> None:
    pair = _words("a b c d e f", "g h")
    assert pair(Limit(6, "truncate")).tokens == ("a", "b", "c", "[SEP]", "g", "h")
    assert pair(Limit(4, "truncate")).tokens == ("a", "b", "[SEP]", "g")
    assert pair(Limit(4, "truncate", truncate_side="left")).tokens == ("e", "f", "[SEP]", "h")
    only_first = Limit(5, "truncate", truncate="only_first")
    assert pair(only_first).ids.tolist() == [4, 5, SEP, 10, 11]
    assert pair(Limit(9, "truncate")).truncated == 0
    with pytest.raises(InputError, match="leaves no room for text beside the model's 1 special tokens"):
        pair(Limit(1, "truncate"))
    with pytest.raises(
        InputError, match=r"by model\.truncate=only_second; set model\.truncate=longest_first"
    ):
        _words("a b c")(Limit(2, "truncate", truncate="only_second"))


def test_the_characters_that_stay() -> None:
    left = _words("a b c d", "e f g")(Limit(4, "truncate", truncate_side="left"))
    assert left.tokens == ("c", "d", "[SEP]", "g")
    assert visible(left, 0) == (4, 7) and visible(left, 1) == (4, 5)
