"""Bringing your own model: a torch module, or nothing but a function that predicts probabilities."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from assay.models.encoding import Encoding, with_tokens
from assay.models.protocol import Batch
from assay.models.saving import check_finite
from assay.models.vocabulary import WORD, encode_words, find_words
from assay.tasks.errors import InputError, shown
from assay.tasks.labels import plain_text

SMALLEST_PROBABILITY = 1e-12
# How a user wraps what is no model yet.
TELL_BLACK_BOX = "BlackBox(predict_proba, labels=[...], fingerprint=...)"

# Two threads that meet a word at once must give it one number.
_WORDS_LOCK = Lock()


class TorchAdapter:
    """A user's torch module as a model.

    encode: texts or pairs to encodings (`assay.models.tokenizing.encode_texts` does it for a tokenizer of
    Hugging Face).
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
        return with_tokens(self._encode(texts), texts)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        return self._logits(batch) if self._logits else self.network(batch.ids, batch.attention)


class BlackBox:
    """A classifier of which only its probabilities are known; it has no gradients, embeddings or layers.

    predict_proba: n texts, or n (text, text) tuples where the task has pairs, to (n, K) probabilities, which
    sum to 1 per row unless multi_label. Tokens are the words found by the regular expression `pattern`; a
    token's id is its place in the list of distinct words seen so far, each with what stands before it. So the
    classifier is asked about a text as it is written, but for white space at its ends, and about a variant as
    what is left of it; words that would run together are parted by a space. There is no mask token: an absent
    word is deleted.
    Logits are log p less its mean over the classes, which the softmax turns into p again; of two classes that
    is half the log-odds, log p / (1 - p), of each. So the logits of a logistic regression are sums over its
    features; the output "log_odds" of an explainer is shap's `link="logit"`. If multi_label they are the
    log-odds of each label. p is kept above 1e-12.
    fingerprint: any text that changes when the classifier does; stored results are named by it.
    version: raised when the logits, or what the classifier is asked, change.
    """

    pad_id = 0
    mask_id: int | None = None
    unk_id: int | None = None
    separator_id = 1
    version: ClassVar[int] = 2

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
            # A word without letters may be found in a text where it is not in an empty one, as by \b.
            empty = not all(word.text for word in (*find_words("", pattern), *find_words("a b, c.", pattern)))
        except (re.error, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"pattern is {shown(pattern)}; expected a regular expression ({reason})"
            ) from error
        if empty:
            raise InputError(
                f"pattern is {shown(pattern)}, which finds words of no letters; expected a pattern of one "
                r"character or more, such as \w+"
            )
        self.pattern = pattern
        self._words = ["", ""]
        self._ids: dict[str, int] = {}

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts, or pairs with a separator between them; the case of words is kept."""
        return [self._encoded(text) for text in texts]

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits; InputError if the classifier's answers are no probabilities."""
        ids, segments = batch.ids.cpu().numpy(), batch.segments.cpu().numpy()
        attention = batch.attention.cpu().numpy()
        queries = [self._text(ids[row][kept], segments[row][kept]) for row, kept in enumerate(attention)]
        return self._asked(queries).to(batch.ids.device)

    def own_logits(self, text: tuple[str, ...]) -> Tensor:
        """(1, K) logits of the classifier's own answer to one text, or pair, as it is written."""
        return self._asked([text[0] if len(text) == 1 else text])

    def _asked(self, queries: Sequence[str | tuple[str, ...]]) -> Tensor:
        answers = as_probabilities(
            self.predict_proba(list(queries)), len(queries), len(self.labels), multi_label=self.multi_label
        )
        answers = np.maximum(answers, SMALLEST_PROBABILITY)
        logits = np.log(answers)
        if self.multi_label:
            logits -= np.log(np.maximum(1 - answers, SMALLEST_PROBABILITY))
        else:
            logits -= logits.mean(axis=1, keepdims=True)
        return torch.from_numpy(logits.astype(np.float32))

    def _encoded(self, texts: tuple[str, ...]) -> Encoding:
        found = encode_words(texts, lambda word: self.separator_id, self.separator_id, self.pattern)
        for segment, text in enumerate(texts):
            places = np.flatnonzero(found.content & (found.segments == segment)).tolist()
            cuts = [0, *found.offsets[places, 1].tolist()]
            cuts[-1] = len(text) if places else 0
            for number, place in enumerate(places):
                piece = text[cuts[number] : cuts[number + 1]]
                # The first word may come to stand behind another one.
                found.ids[place] = self._number(piece if number else f" {piece.lstrip()}")
        return found

    def _number(self, word: str) -> int:
        if word not in self._ids:
            with _WORDS_LOCK:
                if word not in self._ids:
                    self._words.append(word)
                    self._ids[word] = len(self._words) - 1
        return self._ids[word]

    def _text(self, ids: NDArray[np.int64], segments: NDArray[np.int64]) -> str | tuple[str, ...]:
        words = [(self._words[number], segment) for number, segment in zip(ids, segments, strict=True)]
        first, second = (self._joined(word for word, side in words if word and side == s) for s in (0, 1))
        return (first, second) if self.separator_id in ids else first

    def _joined(self, words: Iterable[str]) -> str:
        text, last = "", ""
        for word in words:
            text += f" {word}" if _run_together(last, word, self.pattern) else word
            last = word
        return text.strip()


@lru_cache(maxsize=1 << 16)
def _run_together(first: str, second: str, pattern: str) -> bool:
    """Whether the pattern would find one word across two pieces of text, one written behind the other."""
    border = len(first)
    return any(word.start < border < word.end for word in find_words(first + second, pattern))


def as_probabilities(answers: ArrayLike, rows: int, labels: int, *, multi_label: bool) -> NDArray[np.float64]:
    """(rows, labels) what a classifier answered. Raises InputError on anything but probabilities."""
    try:
        table = np.asarray(answers)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"predict_proba gave no array: {error}; expected numbers, texts by labels"
        ) from error
    expected = (rows, labels)
    if table.shape != expected:
        advice = ""
        if labels == 2 and table.shape in ((rows,), (rows, 1)) and table.dtype.kind == "f":
            advice = "; if these are the probabilities p of the second label, give [1 - p, p] for each text"
        elif table.shape == (rows,):
            advice = "; expected a probability for each label, not the decided label"
        raise InputError(
            f"predict_proba gave an array of shape {table.shape}; expected {expected}, texts by labels"
            f"{advice}"
        )
    if table.dtype.kind in "biu":
        raise InputError(
            "predict_proba gave whole numbers, as decided labels (0 or 1) are; expected probabilities as "
            "floating-point numbers, without which nothing tells how sure the classifier is"
        )
    if table.dtype.kind not in "f":
        kind = "complex numbers" if table.dtype.kind == "c" else f"values of the type {table.dtype}"
        raise InputError(f"predict_proba gave {kind}; expected probabilities as floating-point numbers")
    table = table.astype(np.float64)
    if not np.isfinite(table).all() or table.min(initial=0) < 0 or table.max(initial=0) > 1 + 1e-6:
        raise InputError("predict_proba gave values outside 0 to 1, or NaN; expected probabilities")
    if not multi_label and rows and np.abs(table.sum(axis=1) - 1).max() > 1e-3:
        raise InputError(
            "predict_proba gave rows that do not sum to 1; expected a probability per label, or set "
            "multi_label=True"
        )
    return table


def from_estimator(
    estimator: Any,
    *,
    labels: Sequence[str] | None = None,
    multi_label: bool = False,
    pattern: str = WORD,
    fingerprint: str | None = None,
) -> BlackBox:
    """A fitted estimator with `predict_proba`, such as a scikit-learn pipeline, as a black box.

    labels: the names of its classes, by default those of its `classes_`. fingerprint: by default a hash of
    everything that the estimator holds. Raises InputError on one that is not fitted or cannot be hashed.
    """
    # Takes time to import, and only estimators need it.
    from assay.models.estimator_hash import estimator_hash

    kind = type(estimator).__name__
    if labels is None:
        try:
            labels = tuple(plain_text(name) for name in np.asarray(estimator.classes_).tolist())
        except (AttributeError, ValueError) as error:
            raise InputError(
                f"the {kind} does not tell its classes (classes_), so it was not fitted or has several "
                f"outputs; fit it, or give {TELL_BLACK_BOX}"
            ) from error
    try:
        fingerprint = fingerprint or estimator_hash(estimator)
    except Exception as error:  # whatever its parts raise when they are written out
        raise InputError(
            f"the {kind} has no fingerprint, by which results are stored ({error}); give {TELL_BLACK_BOX}"
        ) from error
    return BlackBox(
        estimator.predict_proba,
        labels=labels,
        multi_label=multi_label,
        pattern=pattern,
        fingerprint=fingerprint,
    )
