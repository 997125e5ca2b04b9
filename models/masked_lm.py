"""What Assay asks of a masked language model: which tokens it expects at masked places of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.masked_inputs import PackedInputs
from assay.models.protocol import Batch
from assay.models.tensors import to_batch
from assay.tasks.errors import InputError

# Probabilities that are in memory at once.
VALUES = 2**24


class MaskedLM(Protocol):
    """A masked language model over the token ids of a classifier.

    ids: (C,) int32 the tokens that may take a masked place, ascending, no special ones. mask_id: what stands
    in a masked place. pad_id: what rows are padded with.
    """

    @property
    def ids(self) -> NDArray[np.int32]: ...
    @property
    def mask_id(self) -> int: ...
    @property
    def pad_id(self) -> int: ...

    def log_probabilities(self, batch: Batch, masked: Tensor) -> Tensor:
        """(M, C) natural logarithms of the probabilities of `ids` at the M masked places, row by row.

        Those of a place sum to less than 1 where other tokens, such as special ones, have a share. masked:
        (B, T) bool. A row's answer may depend on nothing but its tokens, type ids and masked places.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FilledBatch:
    """What is expected at the masked places of some distinct rows, all places of a row together.

    rows: (M,) the distinct row of each place, ascending. places: (M,) its position in the row, ascending.
    log_probabilities: (M, C) float64.
    """

    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    log_probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """The answers to rows with masked places, batch by batch.

    source: (N,) for every asked row, in the order asked, the distinct row that answers it. lengths: (U,) the
    tokens of the distinct rows.
    """

    source: NDArray[np.intp]
    lengths: NDArray[np.int32]
    batches: Iterator[FilledBatch]


def most_tokens(mlm: MaskedLM) -> int:
    """How many tokens a batch may have, if all of them are masked."""
    return most_places(len(mlm.ids))


def most_places(choices: int) -> int:
    """At how many places so many choices may be scored at once."""
    return max(1, VALUES // max(choices, 1))


def fill(mlm: MaskedLM, packed: PackedInputs, device: str, span: slice) -> FilledBatch:
    """The answers to a slice of distinct rows, at every place that holds the mask token.

    Raises InputError on NaN, and on probabilities of a place that sum to more than 1.
    """
    with torch.inference_mode():
        batch = to_batch(packed, np.arange(span.start, span.stop), mlm.pad_id, device)
        masked = (batch.ids == mlm.mask_id) & batch.attention
        answers = mlm.log_probabilities(batch, masked).cpu().double().numpy()
    rows, places = np.nonzero(masked.cpu().numpy())
    if answers.shape != (len(rows), len(mlm.ids)):
        raise InputError(
            f"the masked language model answered {len(rows)} masked places of {len(mlm.ids)} tokens with an "
            f"array of shape {answers.shape}; expected one log-probability per place and token"
        )
    # A token may be impossible, so minus infinity is an answer.
    wrong = ~(np.exp(answers).sum(axis=1) < 1.001)
    if wrong.any():
        raise InputError(
            f"the masked language model answered {int(wrong.sum())} of {len(rows)} masked places with NaN "
            "or with probabilities that sum to more than 1; its weights are broken, choose another one"
        )
    return FilledBatch(rows + span.start, places, answers)
