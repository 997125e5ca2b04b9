"""What "absent" means: one file for both uses, removing tokens and giving path methods a reference.

Every baseline keeps special tokens ([CLS], [SEP]) as they are. Tokens that stay keep their position, except
under `Delete`, where those behind a deleted token move up. The attention mask covers every token of a row,
replaced ones included, so a replaced token is read, not skipped.

Some baselines are fitted to a sample of training texts, and some mean something else for every target or are
several baselines whose explanations are averaged: `explainers.averaging` takes those apart, so explainers
only ever see plain ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoding import Encoding
from models.engine import Engine
from models.protocol import Model
from models.rows import Rows
from tasks.errors import InputError, did_you_mean
from tasks.example import Example
from tasks.randomness import generator
from tasks.sampling import rank

Source = Literal["corpus", "vocabulary"]

_NOTHING: frozenset[str] = frozenset()
_EMBEDDINGS = frozenset({"embeddings"})
_STAY = "special tokens, positions and segments stay; it is attended to"


class Baseline(Protocol):
    """How tokens are made absent; inherit what a plain one needs no more words for.

    needs: abilities the model must have. removes: whether it can remove single tokens. references: whether it
    keeps every token's place, so that a straight line to it exists. per_target: whether every target has
    parts of its own. policy: what happens to an absent token, the special ones, positions and attention.
    """

    __slots__ = ()
    name: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[str]]
    removes: ClassVar[bool]
    references: ClassVar[bool]
    per_target: ClassVar[bool] = False
    policy: ClassVar[str]

    @property
    def repeats(self) -> int:
        """How many parts a target has."""
        return 1

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """The baseline once it has seen training texts; itself if it needs none."""
        return self

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The plain baselines whose explanations are averaged for a target."""
        return (self,)

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        """R variants of an encoding; keep: (R, T) bool, false where a token is absent."""
        ...


@dataclass(frozen=True, slots=True)
class Pad(Baseline):
    """Absent tokens become the padding token, and are attended to.

    In the word models the padding token's embedding is the zero vector, so there `pad` and `zero` agree.
    """

    name: ClassVar[str] = "pad"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _NOTHING
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"becomes the padding token; {_STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        return _substitute(encoding, keep, model.pad_id)


@dataclass(frozen=True, slots=True)
class Mask(Baseline):
    """Absent tokens become the mask token."""

    name: ClassVar[str] = "mask"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"mask_token"})
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"becomes the mask token; {_STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        if model.mask_id is None:
            raise InputError("baseline 'mask': the model has no mask token; choose pad, zero or delete")
        return _substitute(encoding, keep, model.mask_id)


@dataclass(frozen=True, slots=True)
class Unknown(Baseline):
    """Absent tokens become the token that stands for unknown words.

    A word model learns what that token means only from rare words; with `min_count=1` it is never trained.
    """

    name: ClassVar[str] = "unk"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"unk_token"})
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"becomes the unknown token; {_STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        token: int | None = getattr(model, "unk_id", None)
        if token is None:
            raise InputError("baseline 'unk': the model has no unknown token; choose pad, zero or delete")
        return _substitute(encoding, keep, token)


@dataclass(frozen=True, slots=True)
class Zero(Baseline):
    """Absent tokens' embeddings become the zero vector; positions and segments are still added."""

    name: ClassVar[str] = "zero"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _EMBEDDINGS
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"its embedding becomes 0; {_STAY}"

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        # One zero stands for a vector of them: the engine broadcasts the filler over the embedding.
        return _fill(encoding, keep, np.zeros(1, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Delete(Baseline):
    """Absent tokens are taken out and the text closes up; a row left without tokens is one padding token."""

    name: ClassVar[str] = "delete"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _NOTHING
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = False
    policy: ClassVar[str] = (
        "is taken out; special tokens stay; what is behind moves up; what is left is attended to"
    )

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        # A stable sort moves the kept tokens to the front in their old order.
        order = np.argsort(~keep, axis=1, kind="stable")
        lengths = keep.sum(axis=1).astype(np.int32)
        ids, segments = encoding.ids[order], encoding.segments[order]
        emptied = lengths == 0
        ids[emptied, 0] = model.pad_id
        segments[emptied, 0] = 0
        return Rows(ids, segments, np.maximum(lengths, 1))


@dataclass(frozen=True, slots=True)
class Mean(Baseline):
    """Absent tokens' embeddings become the average embedding of a token of the training texts.

    Every content token of `sample` texts counts once, so words weigh by their frequency; the average is over
    all positions, one vector for every place. Positions and segments are still added. sample: at most so many
    texts, chosen by `seed`, whatever their order.
    """

    sample: int = 1000
    seed: int = 0
    name: ClassVar[str] = "mean"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _EMBEDDINGS
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"its embedding becomes the mean of the training texts; {_STAY}"

    def __post_init__(self) -> None:
        _check_positive(self.name, "sample", self.sample)

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts."""
        chosen = _chosen(self.name, sample, self.sample, self.seed)
        return Filler(_mean_embedding(engine, engine.model.encode([example.texts for example in chosen])))

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        raise _not_fitted(self.name)


@dataclass(frozen=True, slots=True)
class Negatives(Baseline):
    """For every label, `Mean` of the training texts without it (single-label tasks: of the other classes).

    "Absent" so means "as in a text the label does not fit". Each label is explained against a vector of its
    own, so K targets cost the rows of K. sample: at most so many texts per label.
    """

    sample: int = 1000
    seed: int = 0
    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _EMBEDDINGS
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    per_target: ClassVar[bool] = True
    policy: ClassVar[str] = f"its embedding becomes the mean of the training texts without the label; {_STAY}"

    def __post_init__(self) -> None:
        _check_positive(self.name, "sample", self.sample)

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts, or when all of them have one label in common."""
        ranked = _chosen(self.name, sample, len(sample), self.seed)
        labels = engine.model.labels
        without = [
            [example for example in ranked if label not in example.labels][: self.sample]
            for label in range(len(labels))
        ]
        for label, texts in zip(labels, without, strict=True):
            if not texts:
                raise InputError(
                    f"baseline 'negatives': every training text has the label {label!r}, so there is none "
                    "without it; choose another baseline, such as mean"
                )
        # The labels share most of their texts, so each text is encoded once.
        distinct = list({example.id: example for texts in without for example in texts}.values())
        encodings = engine.model.encode([example.texts for example in distinct])
        encoding_of = {example.id: encoding for example, encoding in zip(distinct, encodings, strict=True)}
        return PerLabel(
            tuple(
                Filler(_mean_embedding(engine, [encoding_of[example.id] for example in texts]))
                for texts in without
            )
        )

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        raise _not_fitted(self.name)


@dataclass(frozen=True, slots=True)
class RandomTokens(Baseline):
    """Absent tokens become random ones; the explanations of `draws` such references are averaged.

    A draw has one token for every place of a text and depends on the text alone. source: "corpus", tokens of
    `sample` training texts as often as they occur there, or "vocabulary", each of them equally likely. The
    records' standard error is over the draws. As a removal operator for metrics it is its first draw.
    This is expected gradients (Erion et al. 2021) over single tokens, for any explainer.
    """

    draws: int = 5
    source: Source = "corpus"
    sample: int = 1000
    seed: int = 0
    name: ClassVar[str] = "random"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _NOTHING
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = f"becomes a random token of the training texts, averaged over draws; {_STAY}"

    def __post_init__(self) -> None:
        _check_positive(self.name, "draws", self.draws)
        _check_positive(self.name, "sample", self.sample)
        if self.source not in ("corpus", "vocabulary"):
            hint = did_you_mean(str(self.source), ["corpus", "vocabulary"])
            raise InputError(f"baseline.random.source is {self.source!r}; {hint}")

    @property
    def repeats(self) -> int:
        """The draws."""
        return self.draws

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts."""
        chosen = _chosen(self.name, sample, self.sample, self.seed)
        encodings = engine.model.encode([example.texts for example in chosen])
        ids, counts = _token_counts(encodings)
        # In the order of their strings, because a black box numbers words as it meets them.
        strings = _strings(encodings)
        order = np.array(sorted(range(len(ids)), key=lambda at: (strings[int(ids[at])], int(ids[at]))))
        weights = counts[order] if self.source == "corpus" else np.ones(len(ids))
        shares = weights / weights.sum()
        return Draws(tuple(Draw(ids[order], shares, self.seed, number) for number in range(self.draws)))

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        raise _not_fitted(self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Filler(Baseline):
    """Absent tokens' embeddings become `vector` (D,)."""

    vector: NDArray[np.float32]
    name: ClassVar[str] = Mean.name
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = _EMBEDDINGS
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = Mean.policy

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        return _fill(encoding, keep, self.vector)


@dataclass(frozen=True, slots=True, eq=False)
class PerLabel(Baseline):
    """`Negatives`, fitted: a baseline per label."""

    of: tuple[Filler, ...]
    name: ClassVar[str] = Negatives.name
    version: ClassVar[int] = Negatives.version
    needs: ClassVar[frozenset[str]] = Negatives.needs
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    per_target: ClassVar[bool] = True
    policy: ClassVar[str] = Negatives.policy

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The label's own."""
        return (self.of[target],)

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        raise InputError(
            "baseline 'negatives' means something else for every label and was asked without one; explain "
            "through explainers.averaging, or choose another baseline"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Draw(Baseline):
    """Absent tokens become ones drawn from `tokens` (V,) with probability `shares` (V,)."""

    tokens: NDArray[np.int32]
    shares: NDArray[np.float64]
    seed: int
    number: int
    name: ClassVar[str] = RandomTokens.name
    version: ClassVar[int] = RandomTokens.version
    needs: ClassVar[frozenset[str]] = RandomTokens.needs
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = RandomTokens.policy

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        # Drawn for every place, so that a place has the same token in all rows of a text.
        rng = generator(self.seed, self.name, self.number, *encoding.tokens)
        return _substitute(encoding, keep, rng.choice(self.tokens, size=len(encoding), p=self.shares))


@dataclass(frozen=True, slots=True, eq=False)
class Draws(Baseline):
    """`RandomTokens`, fitted: several draws, of which the first stands for all where only one can be used."""

    of: tuple[Draw, ...]
    name: ClassVar[str] = RandomTokens.name
    version: ClassVar[int] = RandomTokens.version
    needs: ClassVar[frozenset[str]] = RandomTokens.needs
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True
    policy: ClassVar[str] = RandomTokens.policy

    @property
    def repeats(self) -> int:
        """The draws."""
        return len(self.of)

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The draws, the same for every target."""
        return self.of

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        """Those of the first draw."""
        return self.of[0].rows(model, encoding, keep)


def _substitute(encoding: Encoding, keep: NDArray[np.bool_], token: int | NDArray[np.int32]) -> Rows:
    """Put in one token, or for every place its own (T,)."""
    ids = np.where(keep, encoding.ids, np.asarray(token, dtype=np.int32)).astype(np.int32)
    segments = np.broadcast_to(encoding.segments, keep.shape)
    return Rows(ids, segments, np.full(len(keep), len(encoding), dtype=np.int32))


def _fill(encoding: Encoding, keep: NDArray[np.bool_], vector: NDArray[np.float32]) -> Rows:
    """Put in one embedding."""
    plain = _substitute(encoding, np.ones_like(keep), 0)
    return Rows(plain.ids, plain.segments, plain.lengths, absent=~keep, filler=vector)


def _chosen(name: str, sample: Sequence[Example], size: int, seed: int) -> list[Example]:
    """The first `size` examples in a random order that depends on their ids alone."""
    if not sample:
        raise InputError(
            f"baseline {name!r} is made from training texts, but there are none; give the task a training "
            "split, or choose pad, mask or zero"
        )
    return sorted(sample, key=lambda example: rank(example.id, seed))[:size]


def _token_counts(encodings: Sequence[Encoding]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """(V,) distinct content tokens, ascending, and how often each occurs."""
    return np.unique(
        np.concatenate([encoding.ids[encoding.content] for encoding in encodings]), return_counts=True
    )


def _mean_embedding(engine: Engine, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
    """(D,) mean of the embeddings of all content tokens."""
    ids, counts = _token_counts(encodings)
    table = engine.embed(ids).astype(np.float64)
    return np.average(table, axis=0, weights=counts).astype(np.float32)


def _strings(encodings: Sequence[Encoding]) -> dict[int, str]:
    """Content token to its string, the first in the alphabet where it is written in several ways."""
    found: dict[int, str] = {}
    for encoding in encodings:
        for token, string in zip(encoding.ids.tolist(), encoding.tokens, strict=True):
            found[token] = min(string, found.get(token, string))
    return found


def _check_positive(name: str, option: str, value: int) -> None:
    if value < 1:
        raise InputError(f"baseline.{name}.{option} is {value}; expected at least 1")


def _not_fitted(name: str) -> InputError:
    return InputError(
        f"baseline {name!r} has not seen training texts yet; use what its `fitted(engine, examples)` returns"
    )
