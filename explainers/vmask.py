"""VMASK's word masks as an explanation: what the model itself lets through of every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explanations, Request, Traits, explanation, require_compatible
from assay.models.engine import Engine
from assay.models.protocol import MaskedModel


@dataclass(frozen=True, slots=True)
class Vmask:
    """The mask of each token, from 0 to 1: a property of the word, in every text and for every target alike.

    Read off the model, which is asked nothing. Refused on models without a word-mask layer. Source: Chen and
    Ji, EMNLP 2020.

    Example:
        >>> Vmask().model_rows(tokens=20, targets=2)
        (0, 0)
    """

    version: ClassVar[int] = 1
    traits = Traits(signed=False, additive=False, stochastic=False, needs=frozenset({"word_masks"}))

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order.

        Raises InputError on a model without word masks.
        """
        require_compatible("vmask", self, engine, baseline)
        # Of the whole vocabulary, so that no last digit depends on what else is explained.
        masks = cast(MaskedModel, engine.model).word_masks()
        return [
            [explanation(request, target, masks[request.encoding.ids]) for target in request.targets.tolist()]
            for request in requests
        ]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """None: the masks are read."""
        return 0, 0
