"""lime's LimeTextExplainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.peers.calls import ModelCalls
from assay.explainers.peers.library import count, load, split_arguments
from assay.explainers.peers.mapping import every_text, single_text, token_scores, warn_of_empty
from assay.explainers.peers.peer import Attribution, Peer
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine
from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Span

# What Assay itself says, and what is no plain value.
KEPT = (
    *("verbose", "kernel", "class_names", "random_state", "char_level", "text_instance", "classifier_fn"),
    *("labels", "top_labels", "model_regressor"),
)


@dataclass(frozen=True, slots=True)
class LimeText(Peer):
    """LimeTextExplainer, run by lime on strings from which it took words away.

    arguments: of the class and of its explain_instance, as lime names them, such as {num_samples: 1000, bow:
    false}; num_features is the number of words unless it is given, words that lime leaves out get 0. A word's
    weight is shared out evenly among its occurrences (with `bow`) and there among the tokens that overlap it.
    What stands for an absent word is lime's business: nothing, or its mask_string without `bow`.
    Source: Ribeiro et al., KDD 2016.
    """

    arguments: Mapping[str, Any] | None = None
    output: Output = "probability"
    version: ClassVar[int] = 1
    library: ClassVar[str] = "lime"
    name: ClassVar[str] = "lime_text"
    traits = Traits(signed=True, additive=False, stochastic=True, strings=True)

    def __post_init__(self) -> None:
        check_choice("explainer.lime_text.output", self.output, get_args(Output))
        if self.arguments:
            self._arguments()
        self.model_rows(1, 1)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """lime's samples of all targets together, and the text once more."""
        return count(self.arguments, "num_samples", 5000) + 1, 0

    def check(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> None:
        """Raise InputError on what is no single text; say in how many texts lime finds no word."""
        texts = every_text(self.fingerprint, requests, lambda one: single_text(self.fingerprint, engine, one))
        empty = sum(not self._indexed(text).num_words() for text in texts)
        warn_of_empty(self.fingerprint, empty, len(texts))

    def attribute(self, calls: ModelCalls, baseline: Baseline | None, seed: int) -> Attribution:
        """Scores (M, T): lime's weights, of all targets from the same samples."""
        request, text = calls.request, calls.request.example.texts[0]
        words, targets, full = self._indexed(text), request.targets.tolist(), calls.of_text()
        if not words.num_words():
            return Attribution(np.zeros((len(targets), len(request.encoding))), full)
        construct, explain = self._arguments()
        explainer = load("lime", "lime.lime_text").LimeTextExplainer(random_state=seed, **construct)
        explain.setdefault("num_features", words.num_words())
        found = explainer.explain_instance(text, calls.of_texts, labels=targets, **explain)
        weights = np.zeros((len(targets), words.num_words()))
        for row, target in enumerate(targets):
            for word, weight in found.local_exp[target]:
                weights[row, word] = weight
        spans, counts = _places(words, request)
        return Attribution(token_scores(request, spans, np.repeat(weights / counts, counts, axis=1)), full)

    def _indexed(self, text: str) -> Any:
        """The text as lime takes it apart."""
        construct, _ = self._arguments()
        taken = {name: construct[name] for name in ("bow", "split_expression") if name in construct}
        return load("lime", "lime.lime_text").IndexedString(text, **taken)

    def _arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Those of the constructor, and those of `explain_instance`."""
        offered = load("lime", "lime.lime_text").LimeTextExplainer
        takers = (offered.__init__, offered.explain_instance)
        construct, explain = split_arguments("explainer.lime_text.arguments", self.arguments, takers, KEPT)
        return construct, explain


def _places(words: Any, request: Request) -> tuple[list[Span], NDArray[np.intp]]:
    """Where lime's words stand, word by word, and how often each does.

    Raises InputError where that is not what stands there: lime drops NUL characters.
    """
    text, spans, counts = request.example.texts[0], [], []
    for number in range(words.num_words()):
        # lime counts characters of a text of one word in floating point.
        starts = np.ravel(words.string_position(number)).astype(int).tolist()
        word = str(words.word(number))
        counts.append(len(starts))
        for start in starts:
            if text[start : start + len(word)] != word:
                raise InputError(
                    f"lime places the word {word!r} of example {request.example.id!r} at character {start}, "
                    f"where {text[start : start + len(word)]!r} stands; clean the text of control characters"
                )
            spans.append(Span(start, start + len(word)))
    return spans, np.array(counts, dtype=np.intp)
