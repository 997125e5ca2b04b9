"""DiffMask for one text at a time: the fewest tokens that keep the model's answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.masks import hard_concrete
from assay.explainers.paths.path_gradients import check_reference, reference
from assay.explainers.protocol import Explanations, Request, Traits, explanation
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import Batch
from assay.tasks.errors import check_at_least, check_positive
from assay.tasks.randomness import generator

log = logging.getLogger(__name__)

# Gates begin open: 0.995 is the probability that one is.
FIRST_LOGIT = 5.0
# Far below, a gate is never drawn open and never learns that its token was needed. The paper's trained gates
# have this bound, too: 10 below where they begin.
LEAST_LOGIT = FIRST_LOGIT - 10
FIRST_MULTIPLIER, MOST_MULTIPLIER = 1.0, 200.0
# The last share of the steps, over which gates and divergences are averaged.
KEPT = 0.25
# Random numbers keep this distance from 0 and 1, where logits are infinite, also in float32.
TINY = 1e-6
# The mean divergence of gates that have settled is about `epsilon`, a little above or below.
MET = 1.5


@dataclass(frozen=True, slots=True)
class DiffMaskPerExample:
    """How probable it is that a token stays when as many as possible are absent and the answer is the same.

    Every token has a gate z in [0, 1] (assay.explainers.masks.hard_concrete); special tokens stay. Where the
    model's first layer reads, a token becomes z times itself plus 1 - z times what the baseline puts there.
    The gates' logits minimise the mean of log P(z > 0), subject to a divergence KL(f(x) || f(masked x)) of at
    most `epsilon` nats: gradient descent on the logits, ascent on the multiplier of the constraint, which
    stays in [0, 200]. The score is P(z > 0), its mean over the last quarter of the steps, the same for every
    target; a warning says in how many texts the divergence is above the bound, and how large it is. With
    several labels, the divergence is the sum of theirs.

    Gates that are learned from one text alone may exploit what the model happens to make of its masked
    copies; the paper trains a network over many texts, which this is not. A placeholder learned from one text
    could hold its answer, and all gates would close; so the placeholder is the baseline. Source: De Cao,
    Schlichtkrull, Aziz and Titov, EMNLP 2020, with gates as in their class PerSampleDiffMaskGate; Adam in
    place of RMSprop with Lookahead, and plain ascent.

    Attributes:
        epsilon: the bound of the divergence in nats.
        steps: of gradient descent.
        samples: masked texts in each step.
        rate: Adam's learning rate for the logits of the gates.
        multiplier_rate: how much the multiplier rises for each nat above the bound.

    Raises:
        InputError: on a value out of range.
    """

    epsilon: float = 0.1
    steps: int = 200
    samples: int = 8
    rate: float = 0.1
    multiplier_rate: float = 3.0
    version: ClassVar[int] = 1
    name: ClassVar[str] = "diffmask_per_example"
    traits = Traits(
        signed=False,
        additive=False,
        stochastic=True,
        needs=frozenset({"gradients"}),
        baseline="reference",
    )

    def __post_init__(self) -> None:
        check_at_least(f"explainer.{self.name}.steps", self.steps, 4)
        check_at_least(f"explainer.{self.name}.samples", self.samples, 1)
        for option in ("epsilon", "rate", "multiplier_rate"):
            check_positive(f"explainer.{self.name}.{option}", getattr(self, option))

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order."""
        baseline = check_reference(self.name, baseline)
        explained: Explanations = []
        unmet: list[float] = []
        for request in requests:
            if not len(request.targets):
                explained.append([])
                continue
            records, divergence = self._explain_one(engine, request, baseline)
            explained.append(records)
            if divergence > MET * self.epsilon:
                unmet.append(divergence)
        if unmet:
            log.warning("%s", self._collapsed(unmet, len(requests)))
        return explained

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The text itself, and every masked text forward and backward, whatever the targets if any."""
        if not targets:
            return 0, 0
        passes = self.steps * self.samples if tokens else 0
        return 1 + passes, passes

    def _collapsed(self, unmet: Sequence[float], texts: int) -> str:
        return (
            f"{self.name}: in {len(unmet)} of {texts} texts the gates did not come to a divergence of "
            f"{self.epsilon} nats, the largest is {max(unmet):.3g}; their scores do not say which tokens "
            f"keep the answer. Raise explainer.{self.name}.steps, multiplier_rate or epsilon"
        )

    def _explain_one(
        self, engine: Engine, request: Request, baseline: Baseline
    ) -> tuple[list[Explanation], float]:
        """The records of one text, and the divergence that its gates came to."""
        began = time.perf_counter()
        text = GatedText.of(engine, request, baseline)
        content, divergence = request.encoding.content, 0.0
        scores, passes = np.zeros(len(content)), 0
        if content.any():
            rng = generator(request.seed, self.name, request.example.id)
            scores[content], divergence = self._optimise(text, int(content.sum()), rng)
            passes = self.steps * self.samples
        value = text.answer[0].cpu().double().numpy()
        cost = Cost(1 + passes, passes, (1 + passes) * len(content), time.perf_counter() - began)
        return [
            explanation(request, target, scores, value_input=float(value[target]), cost=cost)
            for target in request.targets.tolist()
        ], divergence

    def _optimise(
        self, text: GatedText, tokens: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], float]:
        """The probability (n,) that each of n gates is open, and the divergence, both means over the last
        steps."""
        logits = torch.full((tokens,), FIRST_LOGIT).to(text.entry).requires_grad_(True)
        optimizer = torch.optim.Adam([logits], lr=self.rate)
        multiplier, kept = FIRST_MULTIPLIER, round(KEPT * self.steps)
        opened, divergence = np.zeros(tokens), 0.0
        lengths = np.full(self.samples, len(text.content), dtype=np.int32)
        for step in range(self.steps):
            uniform = torch.from_numpy(rng.uniform(TINY, 1 - TINY, (self.samples, tokens))).to(logits)

            def gradient(
                span: slice, uniform: Tensor = uniform, multiplier: float = multiplier
            ) -> tuple[Tensor, float]:
                """Of some masked texts, by their share of all; and their divergence, likewise."""
                share = (span.stop - span.start) / self.samples
                with torch.enable_grad():
                    found = text.divergence(hard_concrete.sample(logits, uniform[span])).mean()
                    loss = multiplier * (found - self.epsilon) + hard_concrete.log_open(logits).mean()
                    # Not `backward`, which would leave gradients in the model's parameters, too.
                    (of_logits,) = torch.autograd.grad(share * loss, [logits])
                return of_logits, share * float(found.detach())

            pieces = [piece for _, piece in text.engine.run(lengths, gradient, counters=())]
            logits.grad = torch.stack([of_logits for of_logits, _ in pieces]).sum(dim=0)
            reached = sum(found for _, found in pieces)
            if step >= self.steps - kept:
                opened += hard_concrete.log_open(logits.detach()).exp().cpu().double().numpy() / kept
                divergence += reached / kept
            optimizer.step()
            with torch.no_grad():
                logits.clamp_(min=LEAST_LOGIT)
            multiplier = raised(multiplier, reached, self.epsilon, self.multiplier_rate)
        return opened, divergence


@dataclass(frozen=True, slots=True, eq=False)
class GatedText:
    """A text with a gate before each content token.

    Attributes:
        engine: asks the model.
        batch: the text as a batch of one row.
        entry: (1, T, D) what the first layer reads of it.
        absent: (1, T, D) the same with every content token absent.
        content: (T,) bool.
        answer: (1, K) logits of the text as it is.
    """

    engine: Engine
    batch: Batch
    entry: Tensor
    absent: Tensor
    content: Tensor
    answer: Tensor

    @classmethod
    def of(cls, engine: Engine, request: Request, baseline: Baseline) -> GatedText:
        """Ask the model about the text as it is."""
        batch, entry = engine.entry(full_rows(request.encoding))
        _, absent = engine.entry(reference(engine, request, baseline))
        content = torch.from_numpy(request.encoding.content).to(entry.device)
        with torch.no_grad():
            answer = engine.differentiable(entry, batch)
        return cls(engine, batch, entry, absent, content, answer)

    def logits(self, gates: Tensor) -> Tensor:
        """(R, K) of R masked texts, by their gates (R, n) in [0, 1]."""
        kept = self.entry.new_ones(len(gates), len(self.content))
        kept = kept.masked_scatter(self.content.expand_as(kept), gates)
        return self.engine.differentiable(torch.lerp(self.absent, self.entry, kept[..., None]), self.batch)

    def divergence(self, gates: Tensor) -> Tensor:
        """(R,) that of the answers to R masked texts from the answer to the text, in nats."""
        multi_label = self.engine.model.multi_label
        return kl_divergence(self.answer, self.logits(gates), multi_label=multi_label)


def raised(multiplier: float, divergence: float, bound: float, rate: float) -> float:
    """The multiplier of the constraint `divergence <= bound` after a step of ascent, within its range."""
    return min(max(multiplier + rate * (divergence - bound), 0.0), MOST_MULTIPLIER)


def kl_divergence(answer: Tensor, other: Tensor, *, multi_label: bool) -> Tensor:
    """(R,) KL(answer || other) in nats, of logits (1, K) and (R, K); for several labels their sum."""
    if multi_label:
        yes, no = (
            torch.sigmoid(sign * answer) * (logsigmoid(sign * answer) - logsigmoid(sign * other))
            for sign in (1, -1)
        )
        return (yes + no).sum(dim=1)
    log_p, log_q = answer.log_softmax(dim=1), other.log_softmax(dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)
