"""shap.Explainer on a text: the Partition explainer with the Text masker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.peers.calls import ModelCalls
from assay.explainers.peers.library import count, load, split_arguments
from assay.explainers.peers.mapping import every_text, single_text, token_scores, warn_of_empty
from assay.explainers.peers.peer import Attribution, Peer
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Span

# What Assay itself says, and what is no plain value.
KEPT = ("tokenizer", "output_type", "outputs", "silent", "error_bounds", "main_effects")


@dataclass(frozen=True, slots=True)
class ShapText(Peer):
    """shap.Explainer(f, shap.maskers.Text(tokenizer)), which is shap's Partition: Owen values of its tree.

    tokenizer: "model": that of a Hugging Face model, and for all others a regular expression between the
    words, shap's own; or a regular expression. arguments: of the masker and of the call, as shap names them,
    such as {max_evals: 200, mask_token: "..."}. A piece's value is shared out evenly among the model's tokens
    that overlap it. What stands for an absent piece is shap's business: the tokenizer's mask token, or "...".
    Source: Lundberg & Lee, NeurIPS 2017; Owen, 1977.
    """

    tokenizer: str = "model"
    arguments: Mapping[str, Any] | None = None
    output: Output = "probability"
    version: ClassVar[int] = 1
    library: ClassVar[str] = "shap"
    name: ClassVar[str] = "shap_text"
    traits = Traits(signed=True, additive=True, stochastic=False, strings=True)

    def __post_init__(self) -> None:
        check_choice("explainer.shap_text.output", self.output, get_args(Output))
        if self.arguments:
            self._arguments()
        self.model_rows(1, 1)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """At most shap's evaluations of all targets together, a batch over its budget, and the text once."""
        budget, pieces = count(self.arguments, "max_evals", 500), tokens + 2
        return min(budget + 10, pieces * (pieces + 1)) + 3, 0

    def check(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> None:
        """Raise InputError on what is no single text; say in how many texts shap finds no word."""
        texts = every_text(self.fingerprint, requests, lambda one: single_text(self.fingerprint, engine, one))
        masker = self._masker(engine.model)
        warn_of_empty(self.fingerprint, sum(not _pieces(masker, text) for text in texts), len(texts))

    def attribute(self, calls: ModelCalls, baseline: Baseline | None, seed: int) -> Attribution:
        """Scores (M, T): shap's values, of all targets together."""
        request, text = calls.request, calls.request.example.texts[0]
        masker, full = self._masker(calls.engine.model), calls.of_text()
        spans = _pieces(masker, text)
        if not spans:
            return Attribution(np.zeros((len(request.targets), len(request.encoding))), full)
        _, call = self._arguments()
        explainer = load("shap", "shap").Explainer(lambda texts: calls.of_texts(list(texts)), masker)
        found = explainer([text], silent=True, **call)
        values = np.asarray(found.values[0], dtype=np.float64)[[at for at, _ in spans]]
        scores = token_scores(request, [span for _, span in spans], values[:, request.targets].T)
        return Attribution(scores, full, np.asarray(found.base_values[0], dtype=np.float64))

    def _masker(self, model: Model) -> Any:
        masker, _ = self._arguments()
        own = getattr(model, "tokenizer", None) if self.tokenizer == "model" else self.tokenizer
        if not isinstance(own, str) and not getattr(own, "is_fast", True):
            raise InputError(
                f"explainer.shap_text.tokenizer: a {type(own).__name__} gives shap no offsets of its pieces; "
                r"set explainer.shap_text.tokenizer='\W+'"
            )
        return load("shap", "shap").maskers.Text(own, **masker)

    def _arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Those of the masker, and those of the call."""
        shap = load("shap", "shap")
        takers = (shap.maskers.Text.__init__, shap.explainers.PartitionExplainer.__call__)
        masker, call = split_arguments("explainer.shap_text.arguments", self.arguments, takers, KEPT)
        return masker, call


def _pieces(masker: Any, text: str) -> list[tuple[int, Span]]:
    """The masker's tokens that hold characters: their places among its tokens, and what they cover."""
    offsets = masker.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    spans = [(at, pair) for at, pair in enumerate(offsets) if pair is not None and pair[0] < pair[1]]
    return [(at, Span(int(start), int(end))) for at, (start, end) in spans]
