"""Attributions of a pooled vector, mapped back to the words that it was pooled from.

A model pools when its logits are a function (the head) of one vector, each number of which is the maximum or
the average over the words or over windows of neighbouring words (n-grams). Both explainers are about the
change of that vector from the reference, the text with every word absent, to the text. They take the change
of the logit apart into what each number contributes, the mean gradient of the head on the straight line
between the two vectors x the number's change, and share each number's change among the words. The scores sum
to f(x) - f(reference); exactly where the head is linear, as in all models of `conf/model/`, else up to the
error of the integration. Gradient x change of the vector is the same where the head is linear.

A window's share goes to its words in proportion to how much each pushes the filter's answer that way,
compared with the baseline; words that push the other way get nothing of it. Padding and special tokens, which
are never absent, get 0.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.paths.integrated_gradients import check_rule, nodes
from assay.explainers.paths.path_gradients import straight_paths
from assay.explainers.pooled.routing import Amounts, Floats, moved, players, winners
from assay.explainers.propagation.single_pass import SinglePass
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine
from assay.models.pooling import PoolBatch


class PooledExplainer(SinglePass[PoolBatch], ABC):
    """An explainer of models that pool.

    Attributes:
        steps: how many points of the line the head's gradient is averaged over; one does for a linear head.
        amounts: shares the change of the pooled vector among the windows.
    """

    __slots__ = ()
    steps: int
    amounts: ClassVar[Amounts]

    def __post_init__(self) -> None:
        check_rule(self.name, "gauss_legendre", self.steps)

    @property
    def traits(self) -> Traits:
        return Traits(
            signed=True,
            additive=True,
            stochastic=False,
            needs=frozenset({"pooled_vector"}),
            baseline="reference",
        )

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[PoolBatch]:
        assert baseline is not None
        paths = straight_paths(engine, requests, baseline, np.ones(1))
        return engine.pooled(paths, nodes(self.steps, "gauss_legendre"))

    def scores(self, batch: PoolBatch) -> Tensor:
        """(M, B, T)."""
        found = np.zeros((len(batch.gradients), *batch.changed.shape))
        for row, length in enumerate(batch.lengths.tolist()):
            found[:, row, :length] = self.contributions(batch, row).sum(axis=2)
        return torch.from_numpy(found)

    def contributions(self, batch: PoolBatch, row: int) -> Floats:
        """(M, T, D): what every token adds to each target's logit through each number of the pooled
        vector."""
        gradients = batch.gradients[:, row].cpu().double().numpy()
        return gradients[:, None] * moved(batch, row, type(self).amounts)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Both ends forward and, through the head, backward for each target."""
        return 2, 2 * targets


@dataclass(frozen=True, slots=True)
class PooledIG(PooledExplainer):
    """Integrated gradients of the pooled vector; each number's part goes to the words that won it.

    Those are the words, or windows, that hold the maximum in the text; of several that tie each gets the
    same. Of an average each word has its own part. Signed. On `maxpool` and `meanpool` these are the
    integrated gradients of the words' embeddings (explainer `integrated_gradients`) where the baseline puts
    the same vector in every place: the winner then wins on the whole path. With other baselines, and on
    n-grams, winners change on the way, and the two differ.
    """

    steps: int = 50
    name: ClassVar[str] = "pooled_ig"
    amounts: ClassVar[Amounts] = winners


@dataclass(frozen=True, slots=True)
class PooledShapley(PooledExplainer):
    """Shapley values of the words in the game of each number of the pooled vector, x gradient of the head.

    The value of a coalition of words is the number's maximum over their values and those that the baseline
    gives the absent words: max(v_i for i in S, b_i for i not in S); O(n log n), nothing is drawn. Signed.
    Where the head is linear and what is pooled are words (`maxpool`, `meanpool`), the scores are the exact
    Shapley values of the model with this baseline. On a `cnn` the players are windows, each present or absent
    by itself, which no text can make them be; under another head the head's gradient is that of `PooledIG`.
    """

    steps: int = 50
    name: ClassVar[str] = "pooled_shapley"
    amounts: ClassVar[Amounts] = players
