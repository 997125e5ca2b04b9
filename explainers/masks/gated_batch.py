"""A batch of texts as a model reads them, and under gates that were drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.masks import hard_concrete
from assay.explainers.masks.diffmask_per_example import TINY, kl_divergence
from assay.explainers.masks.gates import Gates
from assay.models.backward_rule import no_hook
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import text_rows
from assay.models.protocol import Batch, OpenModel

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class GatedBatch:
    """Texts as they are.

    Attributes:
        engine: asks the model.
        batch: the texts.
        entry: (B, T, D) what the first layer reads.
        answer: (B, K) logits.
        states: layer to (B, T, D).
        content: (B, T) bool, false on special tokens and padding.
    """

    engine: Engine
    batch: Batch
    entry: Tensor
    answer: Tensor
    states: dict[str, Tensor]
    content: Tensor

    @classmethod
    def of(cls, engine: Engine, texts: Sequence[Encoding]) -> GatedBatch:
        """Ask the model, an OpenModel, about the texts as they are."""
        of_tokens, states = cast(OpenModel, engine.model).layers, dict[str, Tensor]()

        def keep(name: str, value: Tensor) -> Tensor:
            if name in of_tokens:
                states[name] = value
            return value

        batch, entry = engine.entry(text_rows(texts))
        with torch.no_grad():
            answer = engine.differentiable(entry, batch, hook=keep)
        content = torch.zeros_like(batch.attention)
        for row, text in enumerate(texts):
            content[row, : len(text)] = torch.from_numpy(text.content)
        return cls(engine, batch, entry, answer, states, content)

    def mean(self, values: Tensor) -> Tensor:
        """(B,) over the content tokens of each text, of values (B, T)."""
        return torch.where(self.content, values, 0.0).sum(dim=1) / self.content.sum(dim=1)

    def under(self, gates: Gates, layer: int, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) log-probabilities that tokens are open; (B,) divergences and (B, K) logits under draws.

        uniform: (G, B, T or more) in (0, 1), of the gates that decide together at the layer.
        """
        logits = gates.logits(self.states, layer)
        drawn = hard_concrete.sample(logits, uniform[..., : logits.shape[-1]].to(logits)).prod(dim=0)
        entry, hook = gates.masked(self.entry, torch.where(self.content, drawn, 1.0), layer)
        answer = self.engine.differentiable(entry, self.batch, hook=hook or no_hook)
        divergence = kl_divergence(self.answer, answer, multi_label=self.engine.model.multi_label)
        return hard_concrete.log_open(logits).sum(dim=0), divergence, answer


def drawn(gates: Gates, rng: np.random.Generator, texts: Sequence[Encoding], layer: int) -> Tensor:
    """(G, B, T) draws for the gates that decide together at a layer, whatever the pieces of the texts."""
    shape = gates.count(layer), len(texts), max(map(len, texts))
    return torch.from_numpy(rng.uniform(TINY, 1 - TINY, shape))


def pieces(
    engine: Engine, texts: Sequence[Encoding], call: Callable[[NDArray[np.intp], GatedBatch], Result]
) -> Iterator[Result]:
    """Call on piece after piece of some texts, as large as the engine's budget and the memory allow.

    call: takes the places of a piece's texts, which rise, and these texts. All that it asks at once must be
    within it, passes back, too: it is called again on smaller pieces where memory runs out.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    order = np.argsort(lengths, kind="stable")

    def ask(span: slice) -> Result:
        at = np.sort(order[span])
        return call(at, GatedBatch.of(engine, [texts[place] for place in at]))

    for _, result in engine.run(lengths[order], ask, counters=()):
        yield result
