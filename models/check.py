"""Is what Assay asks what the model answers? A check of every model, above all of those that users bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from assay.models.adapters import BlackBox
from assay.models.batching import pad
from assay.models.encoding import Encoding
from assay.models.probe_texts import variants
from assay.models.protocol import ActivationModel, Batch, EmbeddingModel, EntryModel, Model, probabilities
from assay.tasks.errors import InputError

PADDING = 5
# Tokens that the texts may have in one batch.
MOST_TOKENS = 16_384
# So many texts with words deleted are asked where all texts have one answer.
VARIANTS = 12
# Logits of 16-bit numbers have three digits.
HALF_TOLERANCE = 0.05
DRAWS = (
    "logits change from call to call (is dropout still on? a model that draws needs a fixed seed, set anew "
    "in every call)"
)
ONE_BY_ONE = "set engine.budget=1, and it is asked one text at a time"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found: problems, the most important first, and whether any two answers differed, without
    which an answer in the place of another's cannot be seen."""

    problems: list[str]
    differ: bool


def check_model(
    model: Model,
    texts: Sequence[tuple[str, ...]],
    *,
    tolerance: float = 1e-5,
    device: str = "cpu",
    singly: bool = False,
) -> list[str]:
    """What is wrong with a model, as `examine` finds it: sentences, empty if nothing was found."""
    return examine(model, texts, tolerance=tolerance, device=device, singly=singly).problems


def examine(
    model: Model,
    texts: Sequence[tuple[str, ...]],
    *,
    tolerance: float = 1e-5,
    device: str = "cpu",
    singly: bool = False,
) -> Findings:
    """What is wrong with a model, judged on a few texts of different lengths, and where all of them have one
    answer, on what is left of them without some words.

    Args:
        model: of any kind.
        texts: those to be explained, if they are known (`probe_texts`).
        tolerance: largest absolute difference of logits, scaled by the largest logit if that is above 1; of
            a black box, of probabilities.
        device: where the model runs, as torch names it.
        singly: the model is asked one text at a time, so batches are not tried.

    Returns:
        The problems, and whether answers differed.

    Raises:
        InputError: a text that the model does not read, or answers that are no logits or probabilities.
    """
    members = ("labels", "multi_label", "pad_id", "mask_id", "encode", "logits")
    missing = [name for name in members if not hasattr(model, name)]
    if missing:
        return Findings([f"the model has no {', '.join(missing)}"], differ=False)
    with _named_errors("does not encode texts of the task"):
        encodings = model.encode(texts)
    if not singly:
        # A few of any length still show whether they depend on each other.
        rows = max(2, MOST_TOKENS // max(map(len, encodings)))
        kept = sorted(range(len(texts)), key=lambda at: len(encodings[at]))
        kept = [*kept[: rows - 1], kept[-1]] if len(kept) > rows else kept
        texts, encodings = [texts[at] for at in kept], [encodings[at] for at in kept]
    probe = _Probe(model, texts, encodings, tolerance, device)
    return Findings(probe.problems(singly=singly), probe.differ)


class _Probe:
    """A model and the texts it is checked on. values: logits, or of a black box its probabilities, whose
    logarithms magnify the rounding of the smallest."""

    def __init__(
        self,
        model: Model,
        texts: Sequence[tuple[str, ...]],
        encodings: list[Encoding],
        tolerance: float,
        device: str,
    ) -> None:
        self.model, self.texts, self.encodings = model, texts, encodings
        self.tolerance, self.device = tolerance, device
        self.differ = False

    def problems(self, *, singly: bool) -> list[str]:
        """What is wrong, the most important first."""
        with _named_errors("fails on a single text"):
            alone = [self.values(self.padded([encoding])) for encoding in self.encodings]
            again = [self.values(self.padded([encoding])) for encoding in self.encodings[:2]]
        if wrong := [problem for answers in alone for problem in self.shape_problems(answers, 1)]:
            return wrong[:1]
        single = torch.cat(alone)
        if not torch.isfinite(single).all():
            return ["logits are NaN or infinite"]
        bound = self.bound(single)
        if wrong := _difference(DRAWS, single[:2], torch.cat(again), bound):
            return wrong
        self.differ = _spread(single) > bound
        if not self.differ and not singly:
            single = torch.cat([single, *self.variant_answers()])
            if wrong := self.shape_problems(single, len(self.encodings)):
                return wrong
            self.differ = _spread(single) > bound
        if wrong := [] if singly else self.batch_problems(single, bound):
            return wrong
        if wrong := self.own_problems(single, bound):
            return wrong
        encodings = self.encodings[:1] if singly else self.encodings
        batch, logits, found = self.padded(encodings), single[: len(encodings)], []
        if isinstance(self.model, EmbeddingModel):
            with _named_errors("fails from embeddings"):
                found += _check_embeddings(self.model, batch, logits, bound)
        if isinstance(self.model, ActivationModel):
            with _named_errors("fails to give its activations"):
                found += _check_activations(self.model, batch, logits, bound)
        return found

    def variant_answers(self) -> list[Tensor]:
        """Answers (1, K) to variants of the texts, which join the texts; unreadable ones are left out."""
        found = []
        room = MOST_TOKENS // max(map(len, self.encodings)) - len(self.encodings)
        for text in islice(variants(self.texts), min(VARIANTS, max(2, room))):
            with suppress(Exception):  # a user's own code may raise anything
                (encoding,) = self.model.encode([text])
                answers = self.values(self.padded([encoding]))
                if torch.isfinite(answers).all():
                    found.append((text, encoding, answers))
        self.texts = [*self.texts, *(text for text, _, _ in found)]
        self.encodings = [*self.encodings, *(encoding for _, encoding, _ in found)]
        return [answers for _, _, answers in found]

    def batch_problems(self, single: Tensor, bound: float) -> list[str]:
        """How answers depend on what else is in a batch."""
        # By answer: in that order a batch that comes back from behind, or moved by a place, is another one.
        order = single[:, (single.amax(0) - single.amin(0)).argmax()].argsort()
        single, encodings = single[order], [self.encodings[at] for at in order.tolist()]
        with _named_errors(f"fails on several texts in a batch; {ONE_BY_ONE}"):
            together = self.values(self.padded(encodings))
            if wrong := self.shape_problems(together, len(encodings)):
                return wrong
            narrow, wider = self.padding_answers()
            turned = self.values(self.padded(encodings[::-1])).flip(0)
        comparisons = (
            ("the length of the padding", narrow, wider),
            ("the other texts of the batch", single, together),
            ("the order of the batch", together, turned),
        )
        return [
            problem
            for what, answers, other in comparisons
            for problem in _difference(f"logits depend on {what} ({ONE_BY_ONE})", answers, other, bound)
        ]

    def padding_answers(self) -> tuple[Tensor, Tensor]:
        """Answers to the same texts with less and with more padding, never wider than the model reads."""
        lengths = [len(encoding) for encoding in self.encodings]
        most = getattr(getattr(self.model, "limit", None), "max_tokens", None)
        if not isinstance(most, int):
            # A model that tells no limit may end at its longest text.
            most = max(lengths) if len(set(lengths)) > 1 else max(lengths) + PADDING
        roomy = [encoding for encoding in self.encodings if len(encoding) < most]
        if not roomy:
            return torch.zeros(1), torch.zeros(1)
        width = max(map(len, roomy))
        return self.values(self.padded(roomy)), self.values(self.padded(roomy, min(PADDING, most - width)))

    def own_problems(self, single: Tensor, bound: float) -> list[str]:
        """How answers differ from the model's own call on each text as it is written."""
        own = getattr(self.model, "own_logits", None)
        if own is None:
            return []
        for text, encoding, ours in zip(self.texts, self.encodings, single, strict=True):
            # A text that is too long for the model has no answer of its own, and a padding token that is
            # written in a text moves positions in some networks' own call.
            if not encoding.truncated and not (encoding.ids[encoding.content] == self.model.pad_id).any():
                with _named_errors("fails in its own call on a single text"), torch.no_grad():
                    answer = self.shown(own(text))
                where = f"what Assay asks and the model's own call differ on {' '.join(text)[:40]!r}"
                if wrong := _difference(where, ours[None], answer, bound):
                    return wrong
        return []

    def values(self, batch: Batch) -> Tensor:
        """(B, K) what the model answers. Raises InputError on anything but real numbers."""
        with torch.no_grad():
            logits = self.model.logits(batch)
        if not isinstance(logits, Tensor):
            raise InputError(f"logits are a {type(logits).__name__}; expected a tensor, texts by labels")
        if not logits.is_floating_point():
            raise InputError(f"logits are of the type {logits.dtype}; expected floating-point numbers")
        return self.shown(logits)

    def shown(self, logits: Tensor) -> Tensor:
        if isinstance(self.model, BlackBox):
            return probabilities(logits, multi_label=self.model.multi_label)
        return logits

    def padded(self, encodings: Sequence[Encoding], more: int = 0) -> Batch:
        width = max(map(len, encodings)) + more
        return pad(encodings, self.model.pad_id, width=width, device=self.device)

    def shape_problems(self, answers: Tensor, rows: int) -> list[str]:
        labels = len(self.model.labels)
        if answers.shape == (rows, labels):
            return []
        return [f"logits of {rows} texts and {labels} labels have shape {tuple(answers.shape)}"]

    def bound(self, answers: Tensor) -> float:
        half = answers.dtype in (torch.float16, torch.bfloat16)
        tolerance = max(self.tolerance, HALF_TOLERANCE) if half else self.tolerance
        return tolerance * max(1.0, float(answers.abs().max()))


def _spread(answers: Tensor) -> float:
    """Largest difference of two answers."""
    return float((answers.amax(0) - answers.amin(0)).max())


def _difference(what: str, answers: Tensor, other: Tensor, bound: float) -> list[str]:
    """A sentence where two answers to the same texts differ."""
    difference = float((answers - other).abs().max())
    return [] if difference <= bound else [f"{what}: they differ by {difference:.2g}"]


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    """Whatever a model raises as an InputError that says what was asked."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a user's own code may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"the model {what}: {reason}") from error


def _check_embeddings(model: Model, batch: Batch, logits: torch.Tensor, bound: float) -> list[str]:
    model = cast(EmbeddingModel, model)
    embeddings = model.embed(batch.ids).detach().requires_grad_(True)
    if embeddings.ndim != 3 or embeddings.shape[:2] != batch.ids.shape:
        return [f"embeddings of ids {tuple(batch.ids.shape)} have shape {tuple(embeddings.shape)}"]
    again = model.logits_from_embeddings(embeddings, batch)
    difference = float((logits - again.detach()).abs().max())
    if not difference <= bound:
        return [f"logits from embeddings differ from the logits by {difference:.2g}"]
    if isinstance(model, EntryModel):
        entered = model.logits_from_entry(model.enter(embeddings, batch), batch)
        difference = float((logits - entered.detach()).abs().max())
        if not difference <= bound:
            return [f"logits from the entry of the first layer differ from the logits by {difference:.2g}"]
    if not again.requires_grad:
        return ["no gradient flows from the logits to the embeddings"]
    (gradient,) = torch.autograd.grad(again.sum(), embeddings, allow_unused=True)
    if gradient is None:
        return ["no gradient flows from the logits to the embeddings"]
    if not torch.isfinite(gradient).all():
        return ["the gradient with respect to the embeddings is NaN or infinite"]
    if gradient[~batch.attention].abs().sum() > bound:
        return ["padding receives gradient, so the model reads it"]
    return []


def _check_activations(model: Model, batch: Batch, logits: torch.Tensor, bound: float) -> list[str]:
    with torch.no_grad():
        layers = cast(ActivationModel, model).activations(batch)
    last = next(reversed(layers.values()), None)
    if last is None or last.shape != logits.shape or float((last - logits).abs().max()) > bound:
        return ["the last of the activations is not the logits"]
    for name, layer in layers.items():
        if layer.ndim not in (2, 3) or layer.shape[: layer.ndim - 1] != batch.ids.shape[: layer.ndim - 1]:
            return [f"the layer {name!r} has shape {tuple(layer.shape)}; expected (B, T, D) or (B, D)"]
    return []
