"""What methods share that learn for one text how much noise each token bears where the first layer reads."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Explainer, Explanations, Request, Traits, explanation
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import Batch, Model
from assay.tasks.errors import InputError, check_at_least, check_positive
from assay.tasks.example import Example
from assay.tasks.randomness import generator
from assay.tasks.sampling import rank

Scores = NDArray[np.float64]

# The last share of the steps, over which scores are averaged.
KEPT = 0.25
# A dimension that hardly varies counts as if it varied by this share of what all do.
LEAST_SPREAD = 0.01


class LearnedNoise(ABC):
    """A method that learns noise by gradient descent; a setting until it is `fitted` to training texts.

    steps, samples, rate: of gradient descent (Adam), noisy texts in each step, and the learning rate. texts:
    at most so many training texts tell how much the values of the first layer's input vary.
    """

    __slots__ = ()
    name: ClassVar[str]
    version: ClassVar[int]
    per_target: ClassVar[bool]
    traits: Traits
    steps: int
    samples: int
    rate: float
    texts: int

    def check_noise(self) -> None:
        """Raise InputError on a value out of range."""
        check_at_least(f"explainer.{self.name}.steps", self.steps, 4)
        check_at_least(f"explainer.{self.name}.samples", self.samples, 1)
        check_positive(f"explainer.{self.name}.rate", self.rate)
        check_at_least(f"explainer.{self.name}.texts", self.texts, 1)

    @abstractmethod
    def scores(self, text: NoisyText, spread: Spread, target: int, rng: np.random.Generator) -> Scores:
        """(n,) of the content tokens; for every target the same unless `per_target`."""

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Explainer:
        """The explainer with training texts, chosen by their ids alone. Raises InputError without any."""
        if not sample:
            raise InputError(
                f"explainer {self.name!r} is made from training texts, but there are none; give the task a "
                "training split, or leave the explainer out"
            )
        texts = tuple(sorted(sample, key=lambda example: rank(example.id, 0))[: self.texts])
        return Fitted(self, texts, engine.model, Spread.of(self.name, engine, texts))

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """Raises InputError: a setting explains nothing."""
        raise InputError(
            f"explainer {self.name!r} has not seen training texts yet; use what `fitted(engine, examples)` "
            "returns"
        )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The text itself, and every noisy text forward and backward; nothing without targets."""
        if not targets:
            return 0, 0
        times = (targets if self.per_target else 1) if tokens else 0
        passes = self.steps * self.samples * times
        return 1 + passes, passes

    def descend(
        self,
        text: NoisyText,
        start: Tensor,
        loss: Callable[[Tensor, Tensor], Tensor],
        read: Callable[[Tensor], Tensor],
        width: int,
        rng: np.random.Generator,
    ) -> Scores:
        """The mean of `read` over the last steps of gradient descent.

        Args:
            text: whose model is asked, by no more noisy texts at once than the engine's budget takes.
            start: (n, ...) where it begins.
            loss: of these and standard normal noise (R, n, width): a mean over R noisy texts.
            read: (n,) scores of them.
            width: dimensions of a token.
            rng: of the noise.
        """
        learned = start.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([learned], lr=self.rate)
        kept = max(1, round(KEPT * self.steps))
        found = np.zeros(len(start))
        lengths = np.full(self.samples, len(text.content), dtype=np.int32)
        for step in range(self.steps):
            noise = torch.from_numpy(rng.standard_normal((self.samples, len(start), width))).to(start)

            def gradient(span: slice, noise: Tensor = noise) -> Tensor:
                """Of some noisy texts, by their share of all."""
                share = (span.stop - span.start) / self.samples
                with torch.enable_grad():
                    # Not `backward`, which would leave gradients in the model's parameters, too.
                    return torch.autograd.grad(share * loss(learned, noise[span]), [learned])[0]

            pieces = [piece for _, piece in text.engine.run(lengths, gradient, counters=())]
            learned.grad = torch.stack(pieces).sum(dim=0)
            optimizer.step()
            if step >= self.steps - kept:
                found += read(learned.detach()).cpu().double().numpy() / kept
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A method with the training texts that it is made from; keys have the version of the method.

    model, spread: how the values of this model's first layer vary over the texts; asked once, which is in no
    text's cost.
    """

    method: LearnedNoise
    texts: tuple[Example, ...]
    model: Model
    spread: Spread
    version: ClassVar[int] = 1

    @property
    def traits(self) -> Traits:
        """The method's."""
        return self.method.traits

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The method's."""
        return self.method.model_rows(tokens, targets)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order."""
        if not requests:
            return []
        changed = engine.model is not self.model
        spread = Spread.of(self.method.name, engine, self.texts) if changed else self.spread
        return [self._explain_one(engine, request, spread) for request in requests]

    def _explain_one(self, engine: Engine, request: Request, spread: Spread) -> list[Explanation]:
        if not len(request.targets):
            return []
        began, method, content = time.perf_counter(), self.method, request.encoding.content
        text, targets = NoisyText.of(engine, request), request.targets.tolist()
        scores = np.zeros((len(targets), len(content)))
        if content.any():
            for nth, target in enumerate(targets if method.per_target else targets[:1]):
                # The same draws for every target, whichever others are asked.
                rng = generator(request.seed, method.name, request.example.id)
                scores[nth:, content] = method.scores(text, spread, target, rng)
        value = text.answer[0].cpu().double().numpy()
        forward, backward = method.model_rows(int(content.sum()), len(targets))
        cost = Cost(forward, backward, forward * len(content), time.perf_counter() - began)
        return [
            explanation(request, target, scores[nth], value_input=float(value[target]), cost=cost)
            for nth, target in enumerate(targets)
        ]


def noise_of(explainer: Explainer | None) -> LearnedNoise | Fitted | None:
    """The method that learns noise, fitted or not, which an explainer is or passes on; None for others."""
    if explainer is None or isinstance(explainer, (LearnedNoise, Fitted)):
        return explainer
    return noise_of(getattr(explainer, "of", None))


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """mean, deviation: (D,) of what the first layer reads, over the content tokens of training texts.

    texts, tokens: how many the first layer was asked about for it, special tokens included.
    """

    mean: Tensor
    deviation: Tensor
    texts: int
    tokens: int

    @classmethod
    def of(cls, name: str, engine: Engine, examples: Sequence[Example]) -> Spread:
        """Ask the model. Raises InputError where no value varies."""
        count, total, squares = 0, torch.zeros(1).double(), torch.zeros(1).double()
        encodings = engine.model.encode([example.texts for example in examples])
        for encoding in encodings:
            _, entry = engine.entry(full_rows(encoding))
            values = entry[0].cpu().double()[torch.from_numpy(encoding.content)]
            count, total, squares = (
                count + len(values),
                total + values.sum(dim=0),
                squares + (values**2).sum(dim=0),
            )
        mean = total / max(count, 1)
        variance = (squares / max(count, 1) - mean**2).clamp(min=0)
        typical = variance.mean().sqrt()
        if not typical > 0:
            raise InputError(
                f"explainer {name!r} compares noise with how the model's input varies over training texts, "
                f"and that of {len(examples)} texts with {count} tokens does not vary; raise "
                f"explainer.{name}.texts, or give the task other training texts"
            )
        deviation = variance.sqrt().clamp(min=float(LEAST_SPREAD * typical))
        return cls(mean, deviation, len(encodings), sum(map(len, encodings)))

    @property
    def typical(self) -> float:
        """The root mean square of the deviations."""
        return float((self.deviation**2).mean().sqrt())


@dataclass(frozen=True, slots=True, eq=False)
class NoisyText:
    """A text whose content tokens' values can be changed.

    Attributes:
        engine: asks the model.
        batch: the text as a batch of one row.
        entry: (1, T, D) what the first layer reads of it.
        content: (T,) bool.
        answer: (1, K) logits of the text as it is.
    """

    engine: Engine
    batch: Batch
    entry: Tensor
    content: Tensor
    answer: Tensor

    @classmethod
    def of(cls, engine: Engine, request: Request) -> NoisyText:
        """Ask the model about the text as it is."""
        batch, entry = engine.entry(full_rows(request.encoding))
        content = torch.from_numpy(request.encoding.content).to(entry.device)
        with torch.no_grad():
            answer = engine.differentiable(entry, batch)
        return cls(engine, batch, entry, content, answer)

    @property
    def values(self) -> Tensor:
        """(n, D) of the content tokens."""
        return self.entry[0, self.content]

    def logits(self, values: Tensor) -> Tensor:
        """(R, K) of R texts whose content tokens have other values (R, n, D)."""
        entry = self.entry.repeat(len(values), 1, 1)
        entry[:, self.content] = values
        return self.engine.differentiable(entry, self.batch)
