"""Training DiffMask's gates on a frozen model, and measuring them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from assay.explainers.masks import hard_concrete
from assay.explainers.masks.centred_rmsprop import CentredRMSprop
from assay.explainers.masks.diffmask_per_example import MET, TINY, kl_divergence
from assay.explainers.masks.gate_report import GateReport, LayerReport
from assay.explainers.masks.gates import Gates, Gating, Shape, StoredGates, read_shape
from assay.models.backward_rule import no_hook
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import text_rows
from assay.models.mlm_progress import Progress, load_progress, save_progress
from assay.models.protocol import Batch, OpenModel
from assay.models.seeding import seeded
from assay.tasks.errors import InputError, check_at_least, check_choice, check_positive
from assay.tasks.randomness import generator

# After so many steps training is looked at and kept; it ends after so many looks without more closed gates.
LOOK, PATIENCE = 200, 8
# How much the share of open gates must fall to count as fewer, and to what share of the first to have begun.
FEWER, BEGUN = 0.005, 0.9
# So many texts are measured at most.
MEASURED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """How gates are trained; see `assay.explainers.masks.diffmask.DiffMask`. Raises InputError on a value out
    of range."""

    epsilon: float = 0.1
    gating: Gating = "input"
    units: int | None = None
    batch_size: int = 32
    steps: int = 6000
    minutes: float = 20.0
    rate: float = 3e-4
    placeholder_rate: float = 1e-5
    multiplier_rate: float = 0.03
    warmup: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("explainer.diffmask.gating", self.gating, get_args(Gating))
        for option in ("epsilon", "minutes", "rate", "placeholder_rate", "multiplier_rate"):
            check_positive(f"explainer.diffmask.{option}", getattr(self, option))
        for option, least in (("batch_size", 1), ("steps", 1), ("warmup", 0), ("seed", 0)):
            check_at_least(f"explainer.diffmask.{option}", getattr(self, option), least)
        if self.units is not None:
            check_at_least("explainer.diffmask.units", self.units, 1)

    def training_rows(self, train: int, dev: int, layers: int) -> tuple[int, int]:
        """Forward and backward rows of training and measuring, at most, of so many texts and layers."""
        seen = self.steps * min(self.batch_size, train)
        return 2 * seen + (1 + layers) * min(MEASURED, dev or train), seen

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> StoredGates:
        """The gates of a saved folder, their weights still to be filled in."""
        with seeded(0):
            return StoredGates(self, Gates(read_shape(folder)))


def train_gates(
    settings: GateSettings,
    engine: Engine,
    train: Sequence[Encoding],
    dev: Sequence[Encoding] = (),
    resume: Path | None = None,
) -> tuple[Gates, GateReport]:
    """Train gates on texts; the model stays as it is.

    Equal seeds on equal hardware give equal gates, unless time ended the training.

    Args:
        settings: of training.
        engine: asks the model, which must be an OpenModel; what training asks is not in its counters.
        train: texts; those of special tokens alone say nothing and are left out.
        dev: texts to measure with; without any, some of `train`.
        resume: a file that has the state after each look, from which a training that was stopped goes on;
            the caller removes it.

    Returns:
        the gates, frozen, and what is on record about them.

    Raises:
        InputError: no text has a token to gate, or the loss is not finite.
    """
    texts, measured = ([text for text in part if text.content.any()] for part in (train, dev))
    if not texts:
        raise InputError(
            "diffmask trains its gates on the training texts, but none of them has a token that could be "
            "absent; give the task some that have"
        )
    own = Engine(engine.model, device=engine.device, budget=engine.budget)
    trainer = _Trainer(settings, own, texts)
    progress, stopped = trainer.run(resume)
    layers = trainer.measure((measured or texts)[:MEASURED])
    measuring = own.counters.since(trainer.before_measuring)
    trainer.gates.requires_grad_(False)
    return trainer.gates, GateReport(
        epsilon=settings.epsilon,
        layers=layers,
        texts=min(MEASURED, len(measured or texts)),
        steps=min(settings.steps, LOOK * len(progress.epochs)),
        stopped=stopped,
        looks=tuple((look[0], look[1]) for look in progress.epochs),
        forward_rows=measuring.forward_rows + round(sum(look[2] for look in progress.epochs)),
        backward_rows=round(sum(look[3] for look in progress.epochs)),
        cpu_seconds=progress.spent,
    )


class _Trainer:
    def __init__(self, settings: GateSettings, engine: Engine, texts: Sequence[Encoding]) -> None:
        self.settings, self.engine, self.texts = settings, engine, texts
        first = generator(settings.seed, "first").permutation(len(texts))[: settings.batch_size]
        asked = _Asked.of(engine, [texts[at] for at in first])
        names = tuple(asked.states)
        widths = tuple(state.shape[-1] for state in asked.states.values())
        dtype = str(asked.entry.dtype).removeprefix("torch.")
        with seeded(settings.seed):
            self.gates = Gates(Shape(names, widths, settings.gating, settings.units, dtype))
        self._place(asked, [texts[at] for at in first])
        self.gates.to(asked.entry.device)
        # Centred, because open gates have small gradients for a long time, which must not stay small.
        self.optimizer = CentredRMSprop(
            [
                {"params": list(self.gates.networks.parameters()), "lr": settings.rate},
                {"params": list(self.gates.placeholders), "lr": settings.placeholder_rate},
                {"params": list(self.gates.multipliers), "lr": settings.multiplier_rate, "maximize": True},
            ]
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.before_measuring = engine.counters.copy()
        self.order: tuple[int, NDArray[np.intp]] = -1, np.empty(0, dtype=np.intp)

    def _place(self, asked: _Asked, texts: Sequence[Encoding]) -> None:
        """Begin with the mask token in place of absent tokens where there is one; else, and at inner layers,
        with the mean over the tokens of a batch."""
        model, states = self.engine.model, list(asked.states.values())
        if self.settings.gating == "input":
            states = [asked.entry]
            if model.mask_id is not None:
                rows = text_rows(texts)
                gone = asked.content.cpu().numpy()
                rows.ids[gone] = model.mask_id
                states = [self.engine.entry(rows)[1]]
        with torch.no_grad():
            for placeholder, state in zip(self.gates.placeholders, states, strict=True):
                placeholder.copy_(state[asked.content].mean(dim=0))

    def run(self, resume: Path | None) -> tuple[Progress, str]:
        """Train; how far it came, and what ended it."""
        settings = self.settings
        # Draws belong to steps, so that this generator is never used and what is kept of it does not matter.
        rng = generator(settings.seed)
        found = None if resume is None else load_progress(resume, self.gates, self.optimizer, rng)
        progress = found or Progress((), 0, {}, 0.0)
        began, looks = time.process_time() - progress.spent, math.ceil(settings.steps / LOOK)
        stopped = "steps"
        with tqdm(total=looks, initial=len(progress.epochs), desc="training gates", disable=None) as bar:
            while len(progress.epochs) < looks:
                start = LOOK * len(progress.epochs)
                before, done = self.engine.counters.copy(), []
                for step in range(start, min(start + LOOK, settings.steps)):
                    done.append(self._step(step))
                    if time.process_time() - began > 60 * settings.minutes:
                        stopped = "time"
                        break
                spent = self.engine.counters.since(before)
                opened, divergence = np.mean(done, axis=0).tolist()
                look = opened, divergence, float(spent.forward_rows), float(spent.backward_rows)
                progress = Progress((*progress.epochs, look), 0, {}, time.process_time() - began)
                bar.update()
                if stopped == "time":
                    break
                if self._settled(progress.epochs):
                    stopped = "settled"
                    break
                if resume is not None:
                    save_progress(resume, progress, self.gates, self.optimizer, rng)
        self.before_measuring = self.engine.counters.copy()
        return progress, stopped

    def _settled(self, looks: Sequence[tuple[float, ...]]) -> bool:
        """Whether the divergence is about what it may be and for a while no more gates have closed."""
        bound = self.settings.epsilon
        if len(looks) <= PATIENCE or not bound / MET <= looks[-1][1] <= MET * bound:
            return False
        before = min(look[0] for look in looks[:-PATIENCE])
        # For long, all of them may be open.
        begun = before < BEGUN * looks[0][0]
        return begun and min(look[0] for look in looks[-PATIENCE:]) > before - FEWER

    def _step(self, step: int) -> tuple[float, float]:
        """One step on a batch of texts and a layer; the share of open gates, and the divergence."""
        settings, gates = self.settings, self.gates
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / (settings.warmup + 1))
        draws = generator(settings.seed, "step", step)
        layer = int(draws.integers(len(gates.networks)))
        asked = _Asked.of(self.engine, [self.texts[at] for at in self._batch(step)])
        with torch.enable_grad():
            log_open, divergence = self._gated(asked, layer, draws)[:2]
            multiplier = gates.multipliers[layer]
            closing = asked.mean(log_open).mean()
            loss = multiplier * (divergence.mean() - settings.epsilon) + closing
            parameters = list(gates.parameters())
            # Not `backward`, which would leave gradients in the model's parameters, too.
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
        if not math.isfinite(float(loss.detach())):
            raise InputError(
                f"training of diffmask diverged in step {step}: the loss is {float(loss.detach())}; lower "
                f"explainer.diffmask.rate, now {settings.rate}"
            )
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        gates.clamp()
        # Or the next answers would be NaN, and the model would be blamed.
        if not all(bool(parameter.isfinite().all()) for parameter in parameters):
            raise InputError(
                f"training of diffmask diverged in step {step}: gates are not finite; lower "
                f"explainer.diffmask.rate, now {settings.rate}, or ask for fewer steps"
            )
        return float(asked.mean(log_open.detach().exp()).mean()), float(divergence.detach().mean())

    def _batch(self, step: int) -> NDArray[np.intp]:
        """The texts of a step; every text once in each pass over all."""
        size = self.settings.batch_size
        number, nth = divmod(step, math.ceil(len(self.texts) / size))
        if self.order[0] != number:
            # Texts of all lengths together: batches of one length have divergences of their own.
            self.order = number, generator(self.settings.seed, "gates", number).permutation(len(self.texts))
        return self.order[1][nth * size : (nth + 1) * size]

    def _gated(self, asked: _Asked, layer: int, draws: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) log-probabilities that tokens are open; (B,) divergences and (B, K) logits under draws."""
        logits = self.gates.logits(asked.states, layer)
        uniform = torch.from_numpy(draws.uniform(TINY, 1 - TINY, tuple(logits.shape))).to(logits)
        drawn = hard_concrete.sample(logits, uniform).prod(dim=0)
        kept = torch.where(asked.content, drawn, 1.0)
        entry, hook = self.gates.masked(asked.entry, kept, layer)
        answer = self.engine.differentiable(entry, asked.batch, hook=hook or no_hook)
        multi_label = self.engine.model.multi_label
        divergence = kl_divergence(asked.answer, answer, multi_label=multi_label)
        return hard_concrete.log_open(logits).sum(dim=0), divergence, answer

    def measure(self, texts: Sequence[Encoding]) -> tuple[LayerReport, ...]:
        """Every layer on texts, under one draw of the gates."""
        multi_label, found = self.engine.model.multi_label, []
        for start in range(0, len(texts), self.settings.batch_size):
            asked = _Asked.of(self.engine, texts[start : start + self.settings.batch_size])
            for layer in range(len(self.gates.networks)):
                draws = generator(self.settings.seed, "measure", layer, start)
                with torch.no_grad():
                    log_open, divergence, answer = self._gated(asked, layer, draws)
                decide: Callable[[Tensor], Tensor] = (
                    (lambda x: x > 0) if multi_label else lambda x: x.argmax(dim=1, keepdim=True)
                )
                same = (decide(answer) == decide(asked.answer)).double().mean(dim=1)
                opened = asked.mean(log_open.exp())
                found += [
                    (layer, *row)
                    for row in torch.stack([divergence.double(), same, opened.double()], 1).tolist()
                ]
        rows = np.array(found)
        return tuple(
            LayerReport(name, *rows[rows[:, 0] == layer, 1:].mean(axis=0).tolist())
            for layer, name in enumerate(self.gates.shape.layers)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Texts as they are. entry: (B, T, D) what the first layer reads. answer: (B, K) logits. states: layer to
    (B, T, D). content: (B, T) bool, false on special tokens and padding."""

    batch: Batch
    entry: Tensor
    answer: Tensor
    states: dict[str, Tensor]
    content: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """(B,) over the content tokens of each text, of values (B, T)."""
        return torch.where(self.content, values, 0.0).sum(dim=1) / self.content.sum(dim=1)

    @classmethod
    def of(cls, engine: Engine, texts: Sequence[Encoding]) -> _Asked:
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
        return cls(batch, entry, answer, states, content)
