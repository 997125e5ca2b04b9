"""The model as other libraries call it: on texts or on coalitions of tokens, always through the engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.explainers.perturbation.output_spaces import Output, output_space
from assay.explainers.protocol import Request
from assay.models.counters import Counters
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.protocol import Model
from assay.models.vocabulary import WORD, find_words
from assay.tasks.errors import InputError

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class ModelCalls:
    """What a library asks about one request.

    engine: the shared one's model and settings with counters of its own, so that other threads' rows are not
    taken for the library's.
    """

    request: Request
    engine: Engine
    output: Output = "logit"
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, engine: Engine, request: Request, output: Output = "logit") -> ModelCalls:
        """The calls of a request, none made yet."""
        return cls(request, replace(engine, counters=Counters()), output)

    def end(self, engine: Engine) -> Cost:
        """Count what was asked in the shared engine, too; returns the request's cost."""
        spent = self.engine.counters
        engine.add(spent)
        seconds = time.perf_counter() - self.began
        return Cost(
            *(spent.forward_rows, spent.backward_rows, spent.forward_tokens, seconds),
            *(spent.mlm_rows, spent.mlm_tokens),
        )

    def of_rows(self, rows: MaskedInputs) -> Floats:
        """(R, K) outputs of rows."""
        model = self.engine.model
        return output_space(self.engine.logits([rows])[0], self.output, multi_label=model.multi_label)

    def of_text(self) -> Floats:
        """(K,) outputs of the text itself."""
        return self.of_rows(full_rows(self.request.encoding))[0]

    def of_texts(self, texts: Sequence[str]) -> Floats:
        """(n, K) outputs of n texts as the model reads them; one without a token is one padding token, as
        the baseline `delete` leaves it."""
        return self.of_rows(_stacked(encoded(self.engine.model, [str(text) for text in texts])))

    def of_tokens(self, baseline: Baseline, keep: NDArray[np.bool_]) -> Floats:
        """(R, K) outputs with the tokens `keep` (R, T)."""
        (answer,) = baseline.answers(self.engine, [(self.request.encoding, keep)], self.output)
        return answer.values


def encoded(model: Model, texts: Sequence[str]) -> list[Encoding]:
    """The encodings of texts, any of which may be left without a word."""
    wordless = [not find_words(text, getattr(model, "pattern", WORD)) for text in texts]
    some = [(text,) for text, empty in zip(texts, wordless, strict=True) if not empty]
    found = iter(model.encode(some) if some else ())
    both = zip(texts, wordless, strict=True)
    return [_nothing(model, text) if empty else next(found) for text, empty in both]


def _nothing(model: Model, text: str) -> Encoding:
    try:
        return model.encode([(text,)])[0]
    except InputError:
        one = np.array([model.pad_id], dtype=np.int32)
        return Encoding(("",), one, one * 0, np.zeros((1, 2), np.int32), one * 0 - 1)


def _stacked(encodings: Sequence[Encoding]) -> MaskedInputs:
    """Encodings as the rows of one question."""
    lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int32)
    ids = np.zeros((len(encodings), int(lengths.max(initial=1))), dtype=np.int32)
    segments = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding)] = encoding.ids
        segments[row, : len(encoding)] = encoding.segments
    return MaskedInputs(ids, segments, lengths)
