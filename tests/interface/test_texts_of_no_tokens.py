"""Texts of which a model reads nothing are named, whatever is asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedTokenizerFast

import assay
from assay.models.limit import Limit
from assay.models.tokenizing import encode_texts
from assay.tasks.errors import InputError

WORDS = {"<unk>": 0, "<pad>": 1, "good": 2, "bad": 3, "film": 4}


def _tokenizer() -> PreTrainedTokenizerFast:
    """It adds no special tokens and drops a letter."""
    own = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    own.normalizer = normalizers.Replace("é", "")
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=own, unk_token="<unk>", pad_token="<pad>")


def _decoder() -> assay.Classifier:
    sizes: dict[str, Any] = {
        **{"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 64},
        **{"vocab_size": len(WORDS), "num_labels": 2, "pad_token_id": 1},
    }
    config = GPT2Config(**sizes)
    return assay.wrap(GPT2ForSequenceClassification(config), tokenizer=_tokenizer())


class Sum(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(len(WORDS), 2)

    def forward(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        return (self.table(ids) * attention[..., None]).sum(1)


def _module() -> assay.Classifier:
    encode = partial(encode_texts, _tokenizer(), limit=Limit(64))
    return assay.wrap(Sum(), labels=["a", "b"], encode=encode, pad_id=1)


def _function() -> assay.Classifier:
    def predict_proba(texts: Sequence[str]) -> np.ndarray:
        good = np.array([0.9 if "good" in text else 0.2 for text in texts])
        return np.stack([1 - good, good], axis=1)

    return assay.wrap(predict_proba, labels=["a", "b"], pattern="[a-z]+")


@pytest.mark.parametrize("build", [_decoder, _module, _function])
@pytest.mark.parametrize("given", ["é", ["good film", "é é"]])
def test_it_is_named(build: Any, given: Any) -> None:
    classifier = build()
    asks = (
        lambda: classifier.predict_proba(given if isinstance(given, list) else [given]),
        lambda: assay.explain(classifier, given, "occlusion", baseline="delete"),
        lambda: assay.explain(classifier, given, ["lime", "kernel_shap"], baseline="delete"),
    )
    for ask in asks:
        with pytest.raises(InputError, match=r"the text .é.* has no (tokens|words); every text needs"):
            ask()
    assert len(assay.explain(classifier, "good film", "occlusion", baseline="delete").scores) == 2
