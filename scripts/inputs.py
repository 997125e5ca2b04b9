"""What the scripts explain: requests for texts, and random encoders of MiniLM's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb
from transformers import BertConfig, BertForSequenceClassification

from assay.explainers.protocol import Explainer, Request
from assay.harness.config.build import build
from assay.harness.interface.settings import with_options
from assay.models.engine import Engine
from assay.models.limit import Limit
from assay.models.seeding import seeded
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

WORDS = 8000


def explainer(name: str, **options: Any) -> Explainer:
    """An explainer by its name in conf/explainer/, with some of its options changed."""
    return build(with_options("explainer", name, options))


def metric(name: str, **options: Any) -> Any:
    """A metric by its name in conf/metric/, with some of its options changed."""
    return build(with_options("metric", name, options))


def examples(texts: Sequence[str]) -> list[Example]:
    """Texts with their number as name and a label that nothing reads."""
    return [Example(str(number), (text,), (0,)) for number, text in enumerate(texts)]


def requests(engine: Engine, texts: Sequence[Example], targets: Sequence[int] | None = None) -> list[Request]:
    """A request per text.

    Args:
        engine: Its model encodes and predicts.
        texts: What to explain.
        targets: (K,) classes of every text; None for its predicted class.
    """
    encodings = engine.model.encode([text.texts for text in texts])
    if targets is None:
        classes = list(engine.probabilities(encodings).argmax(axis=1)[:, None])
    else:
        classes = [np.array(targets, dtype=np.intp)] * len(texts)
    return [Request(*each) for each in zip(texts, encodings, classes, strict=True)]


def coalitions(players: int) -> NDArray[np.bool_]:
    """(2^n, n) every coalition, in the order of binary numbers whose highest bit is the first player."""
    return (np.arange(2**players)[:, None] >> np.arange(players - 1, -1, -1) & 1).astype(bool)


def shapley_values(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, K) by enumeration, from the worth (2^n, K) of every coalition in the order of `coalitions`."""
    players = len(worth).bit_length() - 1
    numbers = np.arange(len(worth))
    found = []
    for bit in 1 << np.arange(players - 1, -1, -1):
        without = numbers[numbers & bit == 0]
        weights = 1 / (players * comb(players - 1, np.bitwise_count(without)))
        found.append(weights @ (worth[without | bit] - worth[without]))
    return np.array(found)


def random_bert(layers: int = 6, words: int = WORDS, **sizes: Any) -> BertForSequenceClassification:
    """A random encoder with a head for two classes, of MiniLM's size where `sizes` does not say otherwise."""
    minilm = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
    config = BertConfig(vocab_size=words, num_hidden_layers=layers, **{**minilm, **sizes})
    with seeded(0):
        return BertForSequenceClassification(config).eval()


class NoTokenizer:
    """Three ids and the names of the inputs, for scripts that encode no text."""

    pad_token_id, mask_token_id, unk_token_id = 0, 4, 1
    model_input_names = ("input_ids", "token_type_ids", "attention_mask")


def without_tokenizer(network: BertForSequenceClassification) -> TransformerModel:
    """The encoder as a model of Assay's."""
    return TransformerModel(
        Transformer(),
        network,
        cast(Any, NoTokenizer()),
        tuple((network.config.id2label or {}).values()),
        multi_label=False,
        limit=Limit(512, "error"),
    )
