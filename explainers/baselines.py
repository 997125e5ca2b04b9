"""What "absent" means: one file for both uses, removing tokens and giving path methods a reference.

Every baseline keeps special tokens ([CLS], [SEP]) as they are. Tokens that stay keep their position, except
under `Delete`, where those behind a deleted token move up. The attention mask covers every token of a row,
replaced ones included, so a replaced token is read, not skipped.

Baselines made from training texts are in `assay.explainers.sampled_baselines`. Some mean something else for
every target or are several baselines whose explanations are averaged: `assay.explainers.averaging` takes
those apart, so explainers only ever see plain ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.explainers.explanation import Cost
from assay.explainers.perturbation.output_spaces import Space, output_space
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.protocol import Model
from assay.tasks.errors import InputError
from assay.tasks.example import Example

NOTHING: frozenset[str] = frozenset()
EMBEDDINGS = frozenset({"embeddings"})
STAY = "special tokens, positions and segments stay; it is attended to"


# R variants of an encoding of T tokens, and (R, T) bool, false where a token is absent.
Variants = tuple[Encoding, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class CoalitionValues:
    """values: (R, K) outputs of R variants of a text. cost: of the text if it were alone, without seconds."""

    values: NDArray[np.float64]
    cost: Cost


class Baseline(Protocol):
    """How tokens are made absent; inherit what a plain one needs no more words for.

    needs: capabilities the model must have. removes: whether it can remove single tokens. references: whether
    it keeps every token's place, so that a straight line to it exists. per_target: whether every target has
    parts of its own. from_texts: whether it is made from training texts. mixture: whether a text with absent
    tokens stands for many texts, over which `answers` averages; it has no `rows`. policy: what happens to an
    absent token, the special ones, positions and attention.
    """

    __slots__ = ()
    name: ClassVar[str]
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = NOTHING
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    per_target: ClassVar[bool] = False
    from_texts: ClassVar[bool] = False
    mixture: ClassVar[bool] = False
    policy: ClassVar[str]

    @property
    def repeats(self) -> int:
        """How many parts a target has."""
        return 1

    def most_rows(self, alone: int, others: int, words: int) -> tuple[int, int]:
        """At most so many rows of the model, and of a masked language model.

        Args:
            alone: texts from which one token is absent.
            others: texts from which none or several are.
            words: how many different tokens there are to put in.
        """
        return alone + others, 0

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """The baseline once it has seen training texts; itself if it needs none."""
        return self

    def for_one_call(self) -> Baseline:
        """The baseline for one call of an explainer, during which it may keep what it will need again."""
        return self

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The plain baselines whose explanations are averaged for a target."""
        return (self,)

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        """R variants of an encoding; keep: (R, T) bool, false where a token is absent."""
        ...

    def answers(self, engine: Engine, pool: Sequence[Variants], space: Space) -> list[CoalitionValues]:
        """The model's outputs on variants of many texts, in the order asked.

        All values of texts with absent tokens come from here, for explainers and metrics alike.
        """
        rows = [self.rows(engine.model, *variants) for variants in pool]
        multi_label = engine.model.multi_label
        return [
            CoalitionValues(
                output_space(answer.logits, space, multi_label=multi_label),
                Cost(answer.rows, 0, answer.tokens),
            )
            for answer in engine.answers(rows)
        ]


@dataclass(frozen=True, slots=True)
class Pad(Baseline):
    """Absent tokens become the padding token, and are attended to.

    In the word models the padding token's embedding is the zero vector, so there `pad` and `zero` agree.
    """

    name: ClassVar[str] = "pad"
    policy: ClassVar[str] = f"becomes the padding token; {STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        return substitute(encoding, keep, model.pad_id)


@dataclass(frozen=True, slots=True)
class Mask(Baseline):
    """Absent tokens become the mask token."""

    name: ClassVar[str] = "mask"
    needs: ClassVar[frozenset[str]] = frozenset({"mask_token"})
    policy: ClassVar[str] = f"becomes the mask token; {STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        if model.mask_id is None:
            raise InputError("baseline 'mask': the model has no mask token; choose pad, zero or delete")
        return substitute(encoding, keep, model.mask_id)


@dataclass(frozen=True, slots=True)
class Unknown(Baseline):
    """Absent tokens become the token that stands for unknown words.

    A word model learns what that token means only from rare words; with `min_count=1` it is never trained.
    """

    name: ClassVar[str] = "unk"
    needs: ClassVar[frozenset[str]] = frozenset({"unk_token"})
    policy: ClassVar[str] = f"becomes the unknown token; {STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        token: int | None = getattr(model, "unk_id", None)
        if token is None:
            raise InputError("baseline 'unk': the model has no unknown token; choose pad, zero or delete")
        return substitute(encoding, keep, token)


@dataclass(frozen=True, slots=True)
class Zero(Baseline):
    """Absent tokens' embeddings become the zero vector; positions and segments are still added."""

    name: ClassVar[str] = "zero"
    needs: ClassVar[frozenset[str]] = EMBEDDINGS
    policy: ClassVar[str] = f"its embedding becomes 0; {STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        # One zero stands for a vector of them: the engine broadcasts the replacement over the embedding.
        return fill(encoding, keep, np.zeros(1, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Delete(Baseline):
    """Absent tokens are taken out and the text closes up; a row left without tokens is one padding token."""

    name: ClassVar[str] = "delete"
    references: ClassVar[bool] = False
    policy: ClassVar[str] = (
        "is taken out; special tokens stay; what is behind moves up; what is left is attended to"
    )

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        # A stable sort moves the kept tokens to the front in their old order.
        order = np.argsort(~keep, axis=1, kind="stable")
        lengths = keep.sum(axis=1).astype(np.int32)
        ids, segments = encoding.ids[order], encoding.type_ids[order]
        emptied = lengths == 0
        ids[emptied, 0] = model.pad_id
        segments[emptied, 0] = 0
        return MaskedInputs(ids, segments, np.maximum(lengths, 1))


def substitute(encoding: Encoding, keep: NDArray[np.bool_], token: int | NDArray[np.int32]) -> MaskedInputs:
    """Put in one token, or for every place its own (T,)."""
    ids = np.where(keep, encoding.ids, np.asarray(token, dtype=np.int32)).astype(np.int32)
    segments = np.broadcast_to(encoding.type_ids, keep.shape)
    return MaskedInputs(ids, segments, np.full(len(keep), len(encoding), dtype=np.int32))


def fill(encoding: Encoding, keep: NDArray[np.bool_], vector: NDArray[np.float32]) -> MaskedInputs:
    """Put in one embedding."""
    plain = substitute(encoding, np.ones_like(keep), 0)
    return MaskedInputs(plain.ids, plain.segments, plain.lengths, absent=~keep, replacement=vector)
