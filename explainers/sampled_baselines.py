"""Baselines made from training texts: the average token, that of a label's negatives, and random tokens.

Each is a setting until `fitted` gives the baseline itself, made from a model and a sample of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import EMBEDDINGS, STAY, Baseline, fill, substitute
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.protocol import Model
from assay.tasks.errors import InputError, check_at_least, check_choice
from assay.tasks.example import Example
from assay.tasks.randomness import generator
from assay.tasks.sampling import rank

Source = Literal["corpus", "vocabulary"]


class FromTexts(Baseline):
    """The setting of a baseline that is made from training texts."""

    __slots__ = ()
    from_texts: ClassVar[bool] = True
    sample: int
    seed: int

    def __post_init__(self) -> None:
        check_at_least(f"baseline.{self.name}.sample", self.sample, 1)

    def chosen(self, examples: Sequence[Example], size: int) -> list[Example]:
        """The first `size` examples in a random order that depends on their ids alone."""
        if not examples:
            raise InputError(
                f"baseline {self.name!r} is made from training texts, but there are none; give the task a "
                "training split, or choose pad, mask or zero"
            )
        return sorted(examples, key=lambda example: rank(example.id, self.seed))[:size]

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        raise InputError(
            f"baseline {self.name!r} has not seen training texts yet; use what its "
            "`fitted(engine, examples)` returns"
        )


@dataclass(frozen=True, slots=True)
class Mean(FromTexts):
    """Absent tokens' embeddings become the average embedding of a token of the training texts.

    Every content token of `sample` texts counts once, so words weigh by their frequency; the average is over
    all positions, one vector for every place. Positions and segments are still added. sample: at most so many
    texts, chosen by `seed`, whatever their order.
    """

    sample: int = 1000
    seed: int = 0
    name: ClassVar[str] = "mean"
    needs: ClassVar[frozenset[str]] = EMBEDDINGS
    policy: ClassVar[str] = f"its embedding becomes the mean of the training texts; {STAY}"

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts."""
        chosen = self.chosen(sample, self.sample)
        return FixedEmbedding(
            _mean_embedding(engine, engine.model.encode([example.texts for example in chosen]))
        )


@dataclass(frozen=True, slots=True)
class Negatives(FromTexts):
    """For every label, `Mean` of the training texts without it (single-label tasks: of the other classes).

    "Absent" so means "as in a text the label does not fit". Each label is explained against a vector of its
    own, so K targets cost the rows of K. sample: at most so many texts per label.
    """

    sample: int = 1000
    seed: int = 0
    name: ClassVar[str] = "negatives"
    needs: ClassVar[frozenset[str]] = EMBEDDINGS
    per_target: ClassVar[bool] = True
    policy: ClassVar[str] = f"its embedding becomes the mean of the training texts without the label; {STAY}"

    def negatives(self, examples: Sequence[Example], labels: int) -> list[list[Example]]:
        """By label the texts without it that are averaged, of which there may be none.

        Raises InputError without texts.
        """
        ranked = self.chosen(examples, len(examples))
        return [
            [example for example in ranked if label not in example.labels][: self.sample]
            for label in range(labels)
        ]

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts, or when all of them have one label in common."""
        labels = engine.model.labels
        without = self.negatives(sample, len(labels))
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
                FixedEmbedding(_mean_embedding(engine, [encoding_of[example.id] for example in texts]))
                for texts in without
            )
        )


@dataclass(frozen=True, slots=True)
class RandomTokens(FromTexts):
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
    policy: ClassVar[str] = f"becomes a random token of the training texts, averaged over draws; {STAY}"

    def __post_init__(self) -> None:
        check_at_least("baseline.random.draws", self.draws, 1)
        FromTexts.__post_init__(self)
        check_choice("baseline.random.source", self.source, get_args(Source))

    @property
    def repeats(self) -> int:
        """The draws."""
        return self.draws

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts."""
        chosen = self.chosen(sample, self.sample)
        encodings = engine.model.encode([example.texts for example in chosen])
        ids, counts = _token_counts(encodings)
        # In the order of their strings, and where they first occur, because a black box numbers words as it
        # meets them.
        strings = _strings(encodings)
        places = {token: place for place, token in enumerate(strings)}
        order = np.array(
            sorted(range(len(ids)), key=lambda at: (strings[int(ids[at])], places[int(ids[at])]))
        )
        weights = counts[order] if self.source == "corpus" else np.ones(len(ids))
        shares = weights / weights.sum()
        return Draws(tuple(Draw(ids[order], shares, self.seed, number) for number in range(self.draws)))


@dataclass(frozen=True, slots=True, eq=False)
class FixedEmbedding(Baseline):
    """Absent tokens' embeddings become `vector` (D,)."""

    vector: NDArray[np.float32]
    name: ClassVar[str] = Mean.name
    needs: ClassVar[frozenset[str]] = EMBEDDINGS
    policy: ClassVar[str] = Mean.policy

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        return fill(encoding, keep, self.vector)


@dataclass(frozen=True, slots=True, eq=False)
class PerLabel(Baseline):
    """`Negatives`, fitted: a baseline per label."""

    of: tuple[FixedEmbedding, ...]
    name: ClassVar[str] = Negatives.name
    needs: ClassVar[frozenset[str]] = EMBEDDINGS
    per_target: ClassVar[bool] = True
    policy: ClassVar[str] = Negatives.policy

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The label's own."""
        return (self.of[target],)

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        raise InputError(
            "baseline 'negatives' means something else for every label and was asked without one; explain "
            "through assay.explainers.averaging, or choose another baseline"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Draw(Baseline):
    """Absent tokens become ones drawn from `tokens` (V,) with probability `shares` (V,)."""

    tokens: NDArray[np.int32]
    shares: NDArray[np.float64]
    seed: int
    number: int
    name: ClassVar[str] = RandomTokens.name
    policy: ClassVar[str] = RandomTokens.policy

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        # Drawn for every place, so that a place has the same token in all rows of a text.
        rng = generator(self.seed, self.name, self.number, *encoding.tokens)
        return substitute(encoding, keep, rng.choice(self.tokens, size=len(encoding), p=self.shares))


@dataclass(frozen=True, slots=True, eq=False)
class Draws(Baseline):
    """`RandomTokens`, fitted: several draws, of which the first stands for all where only one can be used."""

    of: tuple[Draw, ...]
    name: ClassVar[str] = RandomTokens.name
    policy: ClassVar[str] = RandomTokens.policy

    @property
    def repeats(self) -> int:
        """The draws."""
        return len(self.of)

    def parts(self, target: int) -> tuple[Baseline, ...]:
        """The draws, the same for every target."""
        return self.of

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        """Those of the first draw."""
        return self.of[0].rows(model, encoding, keep)


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
    strings: dict[int, str] = {}
    for encoding in encodings:
        for token, string in zip(encoding.ids.tolist(), encoding.tokens, strict=True):
            strings[token] = min(string, strings.get(token, string))
    return strings
