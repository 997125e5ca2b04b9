"""The attention of one text in all layers and heads, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from assay.explainers.propagation.attention import READS_ALL, rollout
from assay.explainers.propagation.single_pass import text_paths
from assay.explainers.protocol import Request
from assay.explainers.written_words import written_words
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.propagation import attention
from assay.models.protocol import OpenModel, capabilities
from assay.tasks.errors import InputError
from assay.tasks.example import Example

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WordAttention:
    """Attention among the W words of a text; special tokens are words of their own.

    Attributes:
        words: as written in the text; special tokens by their name, such as "[CLS]".
        weights: (L, H, W, W) by layer from the bottom up, head, word that reads, and word that is read; rows
            sum to 1. The decision depends on the first row of the last layer only.
        rollout: (L, W) what the first token has read of every word up to each layer (`AttentionRollout`);
            rows sum to 1.
    """

    words: tuple[str, ...]
    weights: Floats
    rollout: Floats


def word_attention(engine: Engine, example: Example) -> WordAttention:
    """The attention of a text; one forward row.

    A word that was read as several pieces is read as much as all of them together, and reads what they read
    in the mean, so rows sum to 1 as those of tokens do.

    Raises:
        InputError: on a model whose attention is not shown, or that has none.
    """
    has = capabilities(engine.model)
    if not {"open_layers", "step:attend"} <= has:
        raise InputError(
            "the model shows no attention; choose minilm, or a network laid out like BERT or another "
            "of those in docs/models.md"
        )
    if "averaged_tokens" in has:
        raise InputError(f"{READS_ALL}; use a model that reads its first token")
    (encoding,) = engine.model.encode([example.texts])
    call = partial(
        attention,
        cast(OpenModel, engine.model),
        device=engine.device,
        differentiate=False,
        every_query=True,
    )
    paths = text_paths([Request(example, encoding, np.zeros(1, dtype=np.intp))])
    (batch,) = engine.along(paths, call, backward=False)
    layers = [layer.double() for layer in batch.weights]
    rolled = np.stack([rollout(layers[: at + 1])[0].cpu().numpy() for at in range(len(layers))])
    words, pieces = _words(example, encoding)
    weights = np.stack([layer[0].cpu().numpy() for layer in layers])
    return WordAttention(words, merged(weights, pieces), rolled @ pieces)


def merged(weights: Floats, pieces: Floats) -> Floats:
    """(..., W, W) from weights of tokens (..., T, T) and pieces (T, W), 1 where a token is part of a word:
    sum over the pieces that are read, mean over those that read."""
    return (pieces / pieces.sum(axis=0)).T @ weights @ pieces


def _words(example: Example, encoding: Encoding) -> tuple[tuple[str, ...], Floats]:
    """The words in the order of their first token, special tokens among them, and (T, W) their pieces."""
    found = written_words(example.texts, encoding)
    special = np.flatnonzero(~encoding.content)
    found += [(encoding.tokens[at], np.array([at])) for at in special.tolist()]
    found.sort(key=lambda word: int(word[1][0]))
    pieces = np.zeros((len(encoding), len(found)))
    for at, (_, places) in enumerate(found):
        pieces[places, at] = 1
    return tuple(word for word, _ in found), pieces
