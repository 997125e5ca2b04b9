"""Training DiffMask's gates on a frozen model, and measuring them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from assay.explainers.masks.centred_rmsprop import CentredRMSprop
from assay.explainers.masks.gate_looks import LOOK, Look, settled
from assay.explainers.masks.gate_measuring import measure
from assay.explainers.masks.gate_report import GateReport
from assay.explainers.masks.gated_batch import GatedBatch, drawn, pieces
from assay.explainers.masks.gates import Gates, Gating, Shape, StoredGates, read_shape
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import text_rows
from assay.models.mlm_progress import Progress, load_progress, save_progress
from assay.models.seeding import seeded
from assay.models.training_clock import announce, training_clock
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, check_choice, check_positive
from assay.tasks.randomness import generator

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
    looked_at = (measured or texts)[:MEASURED]
    layers = measure(own, trainer.gates, looked_at, size=settings.batch_size, seed=settings.seed)
    measuring = own.counters.since(trainer.before_measuring)
    trainer.gates.requires_grad_(False)
    looks = [Look.read(row) for row in progress.epochs]
    return trainer.gates, GateReport(
        epsilon=settings.epsilon,
        layers=layers,
        texts=len(looked_at),
        steps=sum(look.steps for look in looks),
        stopped=stopped,
        looks=tuple(look.means() for look in looks),
        forward_rows=measuring.forward_rows + sum(look.forward_rows for look in looks),
        backward_rows=sum(look.backward_rows for look in looks),
        cpu_seconds=progress.spent,
    )


class _Trainer:
    def __init__(self, settings: GateSettings, engine: Engine, texts: Sequence[Encoding]) -> None:
        self.settings, self.engine, self.texts = settings, engine, texts
        first = generator(settings.seed, "first").permutation(len(texts))[: settings.batch_size]
        (shown,) = pieces(engine, [texts[first[0]]], lambda _, batch: batch)
        names = tuple(shown.states)
        widths = tuple(state.shape[-1] for state in shown.states.values())
        dtype = str(shown.entry.dtype).removeprefix("torch.")
        with seeded(settings.seed):
            self.gates = Gates(Shape(names, widths, settings.gating, settings.units, dtype))
        self._place([texts[at] for at in first])
        self.gates.to(shown.entry.device)
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

    def _place(self, texts: Sequence[Encoding]) -> None:
        """Begin with the mask token in place of absent tokens where there is one; else, and at inner layers,
        with the mean over the tokens of a batch."""
        mask = self.engine.model.mask_id if self.settings.gating == "input" else None

        def sums(at: NDArray[np.intp], batch: GatedBatch) -> tuple[list[Tensor], int]:
            states = [batch.entry] if self.settings.gating == "input" else list(batch.states.values())
            if mask is not None:
                rows = text_rows([texts[place] for place in at])
                rows.ids[batch.content.cpu().numpy()] = mask
                states = [self.engine.entry(rows)[1]]
            return [state[batch.content].sum(dim=0) for state in states], int(batch.content.sum())

        totals, counts = zip(*pieces(self.engine, texts, sums), strict=True)
        with torch.no_grad():
            for placeholder, parts in zip(self.gates.placeholders, zip(*totals, strict=True), strict=True):
                placeholder.copy_(torch.stack(parts).sum(dim=0) / sum(counts))

    def run(self, resume: Path | None) -> tuple[Progress, str]:
        """Train; how far it came, and what ended it."""
        settings = self.settings
        found = None if resume is None else load_progress(resume, self.gates, self.optimizer)
        progress = found or Progress((), 0, {}, 0.0)
        clock = training_clock(self.engine.device)
        began, looks = clock() - progress.spent, math.ceil(settings.steps / LOOK)
        stopped, count = "steps", len(self.gates.networks)
        what = f"gates of diffmask at {counted(count, 'layer')} on {counted(len(self.texts), 'text')}"
        announce(what, settings.steps, "step", settings.minutes, self.engine.device)
        with tqdm(total=looks, initial=len(progress.epochs), desc="training gates", disable=None) as bar:
            while len(progress.epochs) < looks:
                start = LOOK * len(progress.epochs)
                before, done = self.engine.counters.copy(), list[tuple[int, float, float]]()
                for step in range(start, min(start + LOOK, settings.steps)):
                    done.append(self._step(step))
                    if clock() - began > 60 * settings.minutes:
                        stopped = "time"
                        break
                spent = self.engine.counters.since(before)
                layers = len(self.gates.networks)
                look = Look.of(done, layers, spent.forward_rows, spent.backward_rows)
                progress = Progress((*progress.epochs, look.row()), 0, {}, clock() - began)
                bar.update()
                if stopped == "time":
                    break
                if settled([Look.read(row) for row in progress.epochs], settings.epsilon):
                    stopped = "settled"
                    break
                if resume is not None:
                    save_progress(resume, progress, self.gates, self.optimizer)
        self.before_measuring = self.engine.counters.copy()
        return progress, stopped

    def _step(self, step: int) -> tuple[int, float, float]:
        """One step on a batch of texts and a layer: which one, the share of open gates, the divergence."""
        settings, gates = self.settings, self.gates
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / (settings.warmup + 1))
        draws = generator(settings.seed, "step", step)
        layer = int(draws.integers(len(gates.networks)))
        texts = [self.texts[at] for at in self._batch(step)]
        uniform, parameters = drawn(gates, draws, texts, layer), list(gates.parameters())

        def gradients(at: NDArray[np.intp], batch: GatedBatch) -> tuple[tuple[Tensor | None, ...], Tensor]:
            """Of a piece, by its share of the batch; and the loss, open gates and divergence, likewise."""
            with torch.enable_grad():
                log_open, divergence, _ = batch.under(gates, layer, uniform[:, at])
                closing = batch.mean(log_open).mean()
                loss = gates.multipliers[layer] * (divergence.mean() - settings.epsilon) + closing
                share = len(at) / len(texts)
                # Not `backward`, which would leave gradients in the model's parameters, too.
                found = torch.autograd.grad(share * loss, parameters, allow_unused=True)
            opened = batch.mean(log_open.detach().exp()).mean()
            return found, share * torch.stack([loss.detach(), opened, divergence.detach().mean()]).double()

        by_piece, told = zip(*pieces(self.engine, texts, gradients), strict=True)
        loss, opened, divergence = torch.stack(told).sum(dim=0).tolist()
        if not math.isfinite(loss):
            raise InputError(
                f"training of diffmask diverged in step {step}: the loss is {loss}; lower "
                f"explainer.diffmask.rate, now {settings.rate}"
            )
        for parameter, *parts in zip(parameters, *by_piece, strict=True):
            # A gate that has no part in this layer's has none in any piece.
            parameter.grad = None if parts[0] is None else torch.stack(parts).sum(dim=0)
        self.optimizer.step()
        gates.clamp()
        # Or the next answers would be NaN, and the model would be blamed.
        if not all(bool(parameter.isfinite().all()) for parameter in parameters):
            raise InputError(
                f"training of diffmask diverged in step {step}: gates are not finite; lower "
                f"explainer.diffmask.rate, now {settings.rate}, or ask for fewer steps"
            )
        return layer, opened, divergence

    def _batch(self, step: int) -> NDArray[np.intp]:
        """The texts of a step; every text once in each pass over all."""
        size = self.settings.batch_size
        number, nth = divmod(step, math.ceil(len(self.texts) / size))
        if self.order[0] != number:
            # Texts of all lengths together: batches of one length have divergences of their own.
            self.order = number, generator(self.settings.seed, "gates", number).permutation(len(self.texts))
        return self.order[1][nth * size : (nth + 1) * size]
