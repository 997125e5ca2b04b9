"""Bringing your own model: a torch module, or nothing but a function that predicts probabilities."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from assay.models.encoding import Encoding
from assay.models.protocol import Batch
from assay.models.saving import check_finite
from assay.models.vocabulary import WORD, encode_words
from assay.tasks.errors import InputError, shown

SMALLEST_PROBABILITY = 1e-12

# Two threads that meet a word at once must give it one number.
_WORDS_LOCK = Lock()


class TorchAdapter:
    """A user's torch module as a model.

    encode: texts or pairs to encodings (`assay.models.tokenizing.encode_texts` does it for a fast tokenizer).
    logits: Batch to (B, K); by default `network(ids, attention)`. embed, logits_from_embeddings,
    activations: as in assay.models.protocol, give those the module can do; `capabilities` sees exactly these.
    Puts the module in eval mode. Raises InputError on weights that are not finite, or on one half of the
    pair embed and logits_from_embeddings.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        labels: Sequence[str],
        encode: Callable[[Sequence[tuple[str, ...]]], list[Encoding]],
        multi_label: bool = False,
        pad_id: int = 0,
        mask_id: int | None = None,
        unk_id: int | None = None,
        logits: Callable[[Batch], Tensor] | None = None,
        embed: Callable[[Tensor], Tensor] | None = None,
        logits_from_embeddings: Callable[[Tensor, Batch], Tensor] | None = None,
        activations: Callable[[Batch], dict[str, Tensor]] | None = None,
    ) -> None:
        check_finite(network.state_dict(), f"the weights of {type(network).__name__}")
        if (embed is None) != (logits_from_embeddings is None):
            raise InputError("embed and logits_from_embeddings only work together; give both or neither")
        self.network = network.eval()
        self.labels = tuple(labels)
        self.multi_label = multi_label
        self.pad_id = pad_id
        self.mask_id = mask_id
        self.unk_id = unk_id
        self._encode = encode
        self._logits = logits
        # Left unset when not given, because what a model has is what it can do.
        if embed is not None and logits_from_embeddings is not None:
            self.embed = embed
            self.logits_from_embeddings = logits_from_embeddings
        if activations is not None:
            self.activations = activations

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts or pairs, as the user's function does."""
        return self._encode(texts)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        return self._logits(batch) if self._logits else self.network(batch.ids, batch.attention)


class BlackBox:
    """A classifier of which only its probabilities are known; it has no gradients, embeddings or layers.

    predict_proba: n texts, or n (text, text) tuples where the task has pairs, to (n, K) probabilities, which
    sum to 1 per row unless multi_label. Tokens are the words found by the regular expression `pattern`; a
    token's id is its place in the list of distinct words seen so far. A variant of a text is put to the
    classifier as its words joined by single spaces, so a text itself is read in that form too. There is no
    mask token: an absent word is deleted.
    Logits are log p, or log p / (1 - p) for multi-label, with p kept above 1e-12.
    fingerprint: any text that changes when the classifier does; stored results are named by it.
    """

    pad_id = 0
    mask_id: int | None = None
    unk_id: int | None = None
    separator_id = 1

    def __init__(
        self,
        predict_proba: Callable[[list], ArrayLike],
        *,
        labels: Sequence[str],
        multi_label: bool = False,
        pattern: str = WORD,
        fingerprint: str | None = None,
    ) -> None:
        self.predict_proba = predict_proba
        self.fingerprint = fingerprint
        self.labels = tuple(labels)
        self.multi_label = multi_label
        try:
            re.compile(pattern).fullmatch("")
        except (re.error, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"pattern is {shown(pattern)}; expected a regular expression ({reason})"
            ) from error
        self.pattern = pattern
        self._words = ["", ""]
        self._ids: dict[str, int] = {}

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts, or pairs with a separator between them; the case of words is kept."""
        return [encode_words(text, self._number, self.separator_id, self.pattern) for text in texts]

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) log probabilities, or log odds if multi-label; InputError if they are not probabilities."""
        ids, segments = batch.ids.cpu().numpy(), batch.segments.cpu().numpy()
        attention = batch.attention.cpu().numpy()
        queries = [self._text(ids[row][kept], segments[row][kept]) for row, kept in enumerate(attention)]
        answers = self._checked(self.predict_proba(queries), len(queries))
        answers = np.maximum(answers, SMALLEST_PROBABILITY)
        logits = np.log(answers)
        if self.multi_label:
            logits -= np.log(np.maximum(1 - answers, SMALLEST_PROBABILITY))
        return torch.from_numpy(logits.astype(np.float32)).to(batch.ids.device)

    def _number(self, word: str) -> int:
        if word not in self._ids:
            with _WORDS_LOCK:
                if word not in self._ids:
                    self._words.append(word)
                    self._ids[word] = len(self._words) - 1
        return self._ids[word]

    def _text(self, ids: NDArray[np.int64], segments: NDArray[np.int64]) -> str | tuple[str, str]:
        words = [(self._words[number], segment) for number, segment in zip(ids, segments, strict=True)]
        first, second = (" ".join(word for word, side in words if word and side == s) for s in (0, 1))
        return (first, second) if self.separator_id in ids else first

    def _checked(self, answers: ArrayLike, rows: int) -> NDArray[np.float64]:
        table = np.asarray(answers, dtype=np.float64)
        expected = (rows, len(self.labels))
        if table.shape != expected:
            raise InputError(
                f"predict_proba gave an array of shape {table.shape}; expected {expected}, texts by labels"
            )
        if not np.isfinite(table).all() or table.min(initial=0) < 0 or table.max(initial=0) > 1 + 1e-6:
            raise InputError("predict_proba gave values outside 0 to 1, or NaN; expected probabilities")
        if not self.multi_label and rows and np.abs(table.sum(axis=1) - 1).max() > 1e-3:
            raise InputError(
                "predict_proba gave rows that do not sum to 1; expected a probability per label, or set "
                "multi_label=True"
            )
        return table
