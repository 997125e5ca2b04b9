"""A text with absent tokens as the mixture of its likely replacements, fitted to a masked language model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline, CoalitionValues, Variants
from assay.explainers.explanation import Cost
from assay.explainers.marginal.candidates import Candidates, Replacements, Selection, candidates, replacements
from assay.explainers.perturbation.output_spaces import Space, expected_outputs
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.masked_lm import Filling, MaskedLM
from assay.models.protocol import Model
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

# joint: all absent tokens are masked at once. independent: each is predicted with it alone masked.
Mode = Literal["joint", "independent"]

# In memory at once: tokens of replaced texts, and candidates for absent tokens of many texts.
PORTION_TOKENS = 2**18
KEPT_CANDIDATES = 2**22


def policy(mode: Mode) -> str:
    """What becomes of an absent token."""
    return (
        f"becomes what a masked language model expects there ({mode} mode), outputs averaged by its "
        "probabilities; special tokens, positions and segments stay"
    )


@dataclass(slots=True, eq=False)
class Known:
    """What a masked language model expects at single absent places, as long as one call lasts.

    texts: by `id` each text, so that no other takes its number, with the candidates by place. size: how many
    candidates are kept, at most `KEPT_CANDIDATES`.
    """

    texts: dict[int, tuple[Encoding, dict[int, Candidates]]] = field(default_factory=dict)
    size: int = 0

    def of(self, text: Encoding) -> Mapping[int, Candidates]:
        """By place, what is kept of a text."""
        return self.texts[id(text)][1] if id(text) in self.texts else {}

    def add(self, texts: Sequence[Encoding], found: Sequence[Sequence[dict[int, Candidates]]]) -> None:
        """Keep what was found for the masked rows of texts, until memory is full."""
        for text, rows in zip(texts, found, strict=True):
            _, kept = self.texts.setdefault(id(text), (text, {}))
            for place, one in ((place, one) for row in rows for place, one in row.items()):
                if self.size + one.size <= KEPT_CANDIDATES and place not in kept:
                    kept[place], self.size = one, self.size + one.size


@dataclass(frozen=True, slots=True, eq=False)
class Mixture(Baseline):
    """The baseline `mlm`, fitted (`assay.explainers.marginal.mlm`).

    A coalition's output is the mean over its replacements (`expected_outputs`). The masked language model is
    asked one row per coalition (joint), or one per absent token of the text (independent). about: what is on
    record of it, None if nothing is. known: what it need not be asked again, None if nothing is kept.
    """

    mlm: MaskedLM
    mode: Mode
    selection: Selection
    seed: int
    about: Mapping[str, Any] | None = None
    known: Known | None = None
    name: ClassVar[str] = "mlm"
    needs: ClassVar[frozenset[str]] = frozenset({"mask_token"})
    references: ClassVar[bool] = False
    mixture: ClassVar[bool] = True

    @property
    def policy(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """With the mode."""
        return policy(self.mode)

    def most_rows(self, alone: int, others: int, words: int) -> tuple[int, int]:
        """By the selection."""
        return self.selection.most_rows(alone, others, words)

    def for_one_call(self) -> Mixture:
        """One that asks about a single absent token of a text once, as far as memory is meant for it."""
        return replace(self, known=Known()) if self.mode == "independent" else self

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        raise InputError(
            "baseline 'mlm' stands for many texts and so has no rows; ask for its answers, or choose another"
        )

    def answers(self, engine: Engine, pool: Sequence[Variants], space: Space) -> list[CoalitionValues]:
        """The outputs of the mixtures, in the order asked.

        The rows of a text are cut into portions in a way that does not depend on the other texts, so neither
        does its cost; portions of many texts go to the engine together. Raises InputError where a token has
        no candidate, and of weights that do not sum to 1 on logits, and where several tokens are absent.
        """
        if space == "logit" and not self.selection.renormalise:
            raise InputError(
                "baseline.mlm.renormalise=false leaves out replacements, for which a mean of logits has no "
                "value; explain probabilities or log-odds (explainer.NAME.output), or set it to true"
            )
        if not self.selection.renormalise and any((~keep).sum(axis=1).max(initial=0) > 1 for _, keep in pool):
            # Sequences have weights that sum to 1, so values of one and of several absent tokens would be
            # on two scales.
            raise InputError(
                "baseline.mlm.renormalise=false leaves out replacements of one absent token, beside which "
                "outputs with several absent tokens have another scale; use it with "
                "input_marginalization by token alone, and set it to true for all else, also for removal.mlm"
            )
        masks = [self._masks(encoding, keep) for encoding, keep in pool]
        found: list[CoalitionValues] = []
        start, kept = 0, 0
        for stop, mask in enumerate(masks, start=1):
            kept += self._kept(mask)
            if kept >= KEPT_CANDIDATES or stop == len(pool):
                found += self._answers(engine, pool[start:stop], masks[start:stop], space)
                start, kept = stop, 0
        return found

    def _kept(self, masks: NDArray[np.bool_]) -> int:
        """How many candidates of masked rows are in memory, at most."""
        absent = masks.sum(axis=1)
        chosen = min(len(self.mlm.ids), self.selection.top_k or len(self.mlm.ids))
        drawn = np.array([self.selection.draws_for(int(count)) for count in absent])
        return int((absent * np.where(drawn, drawn, chosen)).sum())

    def _answers(
        self, engine: Engine, pool: Sequence[Variants], masks: Sequence[NDArray[np.bool_]], space: Space
    ) -> list[CoalitionValues]:
        encodings = [encoding for encoding, _ in pool]
        found, costs = self._fill(engine, encodings, masks)
        if self.known is not None:
            self.known.add(encodings, found)
        values: list[list[NDArray[np.float64]]] = [[] for _ in pool]
        waiting, size = [], 0
        for portion in self._portions(pool, masks, found):
            waiting.append(portion)
            size += portion.rows.ids.size
            if size >= PORTION_TOKENS:
                _answer(engine, waiting, space, values, costs)
                waiting, size = [], 0
        _answer(engine, waiting, space, values, costs)
        shape = 0, len(engine.model.labels)
        return [
            CoalitionValues(np.concatenate([np.empty(shape), *of_text]), cost)
            for of_text, cost in zip(values, costs, strict=True)
        ]

    def _masks(self, encoding: Encoding, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(M, T) bool: the places that each row of the masked language model masks."""
        if self.mode == "joint":
            return ~keep[~keep.all(axis=1)]
        places = np.flatnonzero(~keep.all(axis=0))
        if self.known is not None:
            places = np.setdiff1d(places, np.array(list(self.known.of(encoding)), dtype=np.intp))
        return np.eye(len(encoding), dtype=bool)[places]

    def _fill(
        self, engine: Engine, encodings: Sequence[Encoding], masks: Sequence[NDArray[np.bool_]]
    ) -> tuple[list[list[dict[int, Candidates]]], list[Cost]]:
        """For every text and masked row the candidates by place, and each text's cost so far."""
        mask_id = np.int32(self.mlm.mask_id)
        filling = engine.fill(
            self.mlm,
            [
                _rows(encoding, np.where(mask, mask_id, encoding.ids).astype(np.int32))
                for encoding, mask in zip(encodings, masks, strict=True)
            ],
        )
        found: list[list[dict[int, Candidates]]] = [[{} for _ in mask] for mask in masks]
        places = [(text, row) for text, mask in enumerate(masks) for row in range(len(mask))]
        asked_by: list[list[tuple[int, int]]] = [[] for _ in filling.lengths]
        for place, distinct in zip(places, filling.source.tolist(), strict=True):
            asked_by[distinct].append(place)
        for batch in filling.batches:
            rows, starts = np.unique(batch.rows, return_index=True)
            for row, start, stop in zip(rows, starts, [*starts[1:], len(batch.rows)], strict=True):
                at, log_p = batch.places[start:stop], batch.log_probabilities[start:stop]
                for text, nth in asked_by[row]:
                    # A text may hold mask tokens of its own.
                    own = masks[text][nth][at]
                    found[text][nth] = self._candidates(encodings[text], at[own], log_p[own])
        return found, _costs(filling, [len(mask) for mask in masks])

    def _candidates(
        self, encoding: Encoding, places: NDArray[np.intp], log_p: NDArray[np.float64]
    ) -> dict[int, Candidates]:
        """By place, those of one masked row; they depend on nothing but the text and the places."""
        # What is drawn for one place alone may be put beside what is drawn for others.
        draws = self.selection.draws_for(2 if self.mode == "independent" else len(places))
        uniform = np.empty((len(places), draws))
        if draws:
            rng = generator(self.seed, self.name, encoding.ids.tolist(), places.tolist())
            rng.random(out=uniform)
        chosen = candidates(self.mlm.ids, log_p, encoding.ids[places], self.selection, uniform)
        return dict(zip(places.tolist(), chosen, strict=True))

    def _portions(
        self,
        pool: Sequence[Variants],
        masks: Sequence[NDArray[np.bool_]],
        found: Sequence[Sequence[dict[int, Candidates]]],
    ) -> Iterator[_Portion]:
        for text, (encoding, keep) in enumerate(pool):
            alone = {} if self.known is None else dict(self.known.of(encoding))
            alone |= {place: one for of_row in found[text] for place, one in of_row.items()}
            together = iter(found[text])
            rows: list[NDArray[np.int32]] = []
            weights: list[NDArray[np.float64]] = []
            size = 0
            for absent in ~keep:
                ids = encoding.ids[None]
                of_one = np.ones(1)
                if absent.any():
                    chosen = next(together) if self.mode == "joint" else alone
                    replaced = self._replacements(encoding, np.flatnonzero(absent), chosen)
                    ids, of_one = np.repeat(ids, len(replaced.weights), axis=0), replaced.weights
                    ids[:, absent] = replaced.ids
                rows.append(ids)
                weights.append(of_one)
                size += ids.size
                if size >= PORTION_TOKENS:
                    yield _Portion(text, _rows(encoding, np.concatenate(rows)), weights)
                    rows, weights, size = [], [], 0
            if rows:
                yield _Portion(text, _rows(encoding, np.concatenate(rows)), weights)

    def _replacements(
        self, encoding: Encoding, places: NDArray[np.intp], chosen: dict[int, Candidates]
    ) -> Replacements:
        """Raises InputError where a place has no candidate."""
        for place in places.tolist():
            if not chosen[place].size:
                sigma, own = self.selection.sigma, self.selection.include_original
                advice = "lower baseline.mlm.sigma, or set top_k in its place"
                if not sigma:
                    advice = "set baseline.mlm.include_original=true"
                raise InputError(
                    f"baseline 'mlm' has no candidate for token {place}, {encoding.tokens[place]!r}, of the "
                    f"text {' '.join(encoding.tokens)[:40]!r}: the masked language model gives no token "
                    f"{'' if own else 'but its own '}more than {sigma or 0:g} there; {advice}"
                )
        return replacements([chosen[place] for place in places.tolist()], self.selection)


@dataclass(frozen=True, slots=True, eq=False)
class _Portion:
    """Some coalitions of a text. rows: all their replacements. weights: (n,) those of each coalition."""

    text: int
    rows: MaskedInputs
    weights: list[NDArray[np.float64]]


def _rows(encoding: Encoding, ids: NDArray[np.int32]) -> MaskedInputs:
    segments = np.broadcast_to(encoding.type_ids, ids.shape)
    return MaskedInputs(ids, segments, np.full(len(ids), len(encoding), dtype=np.int32))


def _costs(filling: Filling, counts: Sequence[int]) -> list[Cost]:
    """What each text alone would have asked of the masked language model; counts: of its masked rows."""
    costs = []
    for of_text in np.split(filling.source, np.cumsum(counts)[:-1]) if counts else []:
        lengths = filling.lengths[np.unique(of_text)]
        costs.append(Cost(mlm_rows=len(lengths), mlm_tokens=int(lengths.sum())))
    return costs


def _answer(
    engine: Engine,
    portions: Sequence[_Portion],
    space: Space,
    values: list[list[NDArray[np.float64]]],
    costs: list[Cost],
) -> None:
    """Ask for portions, and add the values and the cost of each to those of its text."""
    multi_label = engine.model.multi_label
    for portion, answer in zip(portions, engine.answers([one.rows for one in portions]), strict=True):
        costs[portion.text] += Cost(answer.rows, 0, answer.tokens)
        counts = [len(weights) for weights in portion.weights]
        starts = np.cumsum([0, *counts[:-1]])
        weights = np.concatenate(portion.weights)
        values[portion.text].append(
            expected_outputs(answer.logits, weights, starts, space, multi_label=multi_label)
        )
