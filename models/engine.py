"""The forward engine: the only caller of models.

It drops duplicates among rows of many examples, sorts by length, packs batches by a token budget, counts what
it ran, and gives the answers back in the order asked. When memory runs out it halves the budget and goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Lock
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import BackwardRule, Hook, no_hook
from assay.models.budget import out_of_memory
from assay.models.counters import MLM_COUNTERS, MODEL_COUNTERS, ActivationBatch, Answer, Counters
from assay.models.encoding import Encoding
from assay.models.masked_inputs import MaskedInputs, batches, full_rows, pack, text_rows
from assay.models.masked_lm import Filling, MaskedLM, fill, most_tokens
from assay.models.memory_budget import TokenBudget
from assay.models.paths import (
    ENTRY,
    GradientBatch,
    Path,
    PathBatch,
    Points,
    Straight,
    check_layer,
    differentiate,
    groups,
    lay_out,
)
from assay.models.pooling import Line, PoolBatch, pooled
from assay.models.precision import FLOAT32, Precision
from assay.models.propagation import AttentionBatch, PropagationBatch, attention, propagate
from assay.models.protocol import Batch, EmbeddingModel, Model, OpenModel, probabilities
from assay.models.staging import asynchronous, without_autocast
from assay.models.tensors import answers_of, check_finite, check_gathered, layers_of, logits_of
from assay.models.variants import entry_of, logits_of_variants

Result = TypeVar("Result")
AnyPathBatch = TypeVar("AnyPathBatch", bound=PathBatch)


@dataclass(slots=True, eq=False)
class Engine:
    """The only caller of a model: packs rows of many examples into batches and gives answers back in order.

    Every method raises InputError when the model answers with NaN or infinity, or when a single row does not
    fit into memory.

    Threads may share an engine: a call gets the answers that it would get alone, up to rounding where another
    thread ran out of memory and halved the budget; the counters hold the sum. Assay's models may be asked so
    while nobody changes them (open networks side by side, others in turn); a user's must be safe to call so.
    `assay.explainers.controls.as_coded.WithDropout` changes its model and needs both for itself.

    Attributes:
        model: a classifier in eval mode.
        device: where batches are put, a name of torch's.
        budget: tokens per batch, padding included; None: by the model's size, on CUDA by the memory that the
            first batch of a round took.
        counters: what has been run so far.
        precision: of coalitions; who asks them chooses between the engine and its `reduced` one.

    Example:
        >>> engine = Engine(model)  # doctest: +SKIP
        >>> engine.probabilities(model.encode([("a fine film",)]))  # doctest: +SKIP
        array([[0.09, 0.91]])
    """

    model: Model
    device: str = "cpu"
    budget: int | None = None
    counters: Counters = field(default_factory=Counters)
    precision: Precision = FLOAT32
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _reduced: Engine | None = field(default=None, init=False, repr=False)
    _tokens: TokenBudget = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tokens = TokenBudget.of(self.budget, self.model, self.device)
        self.budget = self._tokens.first

    def __reduce__(self) -> tuple[type[Engine], tuple[object, ...]]:
        budget = self.budget if self._tokens.memory is None else None
        return Engine, (self.model, self.device, budget, self.counters, self.precision)

    def reduced(self) -> Engine:
        """An engine of the model as it is now, a network of Hugging Face's, in bfloat16; counted here."""
        from assay.models.reduced import Reduced  # which imports transformers

        with self._lock:
            found = self._reduced
            if found is None or not cast(Reduced, found.model).is_copy_of(self.model):
                budget = self.budget if self._tokens.memory is None else None
                found = Engine(Reduced(self.model), self.device, budget, self.counters)
                found._lock, self._reduced = self._lock, found
        return found

    def logits(self, pool: Sequence[MaskedInputs]) -> list[NDArray[np.float64]]:
        """For every MaskedInputs of the pool the (R, K) logits of its rows, in the order asked."""
        return [answer.logits for answer in self.answers(pool)]

    def answers(self, pool: Sequence[MaskedInputs]) -> list[Answer]:
        """For every MaskedInputs of the pool its logits, and what it would have cost alone."""
        packed = pack(pool)
        done = [*self.run(packed.lengths, partial(answers_of, self.model, packed, self.device))]
        began = time.perf_counter()
        logits = logits_of(done, packed.lengths, len(self.model.labels))
        self._count(seconds=time.perf_counter() - began)
        found, start = [], 0
        for rows in pool:
            source = packed.source[start : start + len(rows)]
            distinct = np.unique(source)
            found.append(Answer(logits[source], len(distinct), int(packed.lengths[distinct].sum())))
            start += len(rows)
        return found

    def embed(self, ids: NDArray[np.integer]) -> NDArray[np.float32]:
        """(N, D) float32 token embeddings of ids (N,). The model must be an EmbeddingModel."""
        with torch.inference_mode():
            asked = torch.from_numpy(ids.astype(np.int64))[:, None].to(self.device)
            return cast(EmbeddingModel, self.model).embed(asked)[:, 0].float().cpu().numpy()

    def fill(self, mlm: MaskedLM, pool: Sequence[MaskedInputs]) -> Filling:
        """What a masked language model expects at every place of the pool's rows that holds its mask token.

        Its rows are counted apart from those of the engine's own model. Batches are large: reduce each before
        the next. Raises InputError, as they are read, on probabilities that are none.
        """
        packed = pack(pool)
        filled = partial(fill, mlm, packed, self.device)
        done = self.run(packed.lengths, filled, budget=most_tokens(mlm), counters=MLM_COUNTERS)
        return Filling(packed.source, packed.lengths, (batch for _, batch in done))

    def probabilities(self, encodings: Sequence[Encoding]) -> NDArray[np.float64]:
        """(N, K) probabilities of the examples as they are."""
        rows = self.logits([full_rows(encoding) for encoding in encodings])
        logits = np.concatenate([np.empty((0, len(self.model.labels))), *rows])
        return probabilities(torch.from_numpy(logits), multi_label=self.model.multi_label).numpy()

    def gradients(
        self, paths: Sequence[Path], layer: str = ENTRY, straight: Straight = "entry"
    ) -> Iterator[GradientBatch]:
        """Gradients of the target logits at every point of every path.

        They are taken with respect to what the first layer reads (the token embeddings, with positions and
        segments where the model adds them there), or to an inner layer of an OpenModel. Batches are large:
        consume each before requesting the next. Paths may arrive in any order, but the points of a path
        arrive consecutively and in order. A path without targets gives no batch. Passes up to a layer, for
        the start of a path there, are not counted.

        Args:
            paths: the model must be an EmbeddingModel.
            layer: the layer with respect to whose values gradients are taken.
            straight: where the paths are straight, where the first layer reads or at `layer`.

        Yields:
            batches of points with their gradients.

        Raises:
            InputError: on a path whose ends differ in length, and on an unknown layer.
        """
        check_layer(self.model, layer)
        model = cast(EmbeddingModel, self.model)
        return self.along(paths, lambda points: differentiate(model, points, self.device, layer, straight))

    def propagate(
        self, paths: Sequence[Path], rule: BackwardRule, *, layer: str = ENTRY, compare: bool = False
    ) -> Iterator[PropagationBatch]:
        """What `rule` passes back from the target logits to a layer, at the end of every path, in batches.

        Order, and paths without targets or with ends of different length, as in `gradients`.

        Args:
            paths: one point each; the model must be an OpenModel.
            rule: carries out the steps of the pass; one that records something must be this call's own.
            layer: where to stop.
            compare: whether the rule reads the paths' starts, too (assay.models.propagation).

        Raises:
            InputError: on an unknown layer.
        """
        check_layer(self.model, layer)
        model, ends = cast(OpenModel, self.model), 1 + compare
        call = partial(propagate, model, device=self.device, rule=rule, layer=layer, compare=compare)
        return self.along(paths, call, ends=ends)

    def entry(self, rows: MaskedInputs) -> tuple[Batch, Tensor]:
        """Rows as a batch, and (R, T, D) what the model's first layer reads of them."""
        return entry_of(cast(EmbeddingModel, self.model), pack([rows], distinct=False), self.device)

    def differentiable(
        self, entry: Tensor, text: Batch, *, modules: bool = False, hook: Hook = no_hook
    ) -> Tensor:
        """(B, K) logits of variants of texts (`assay.models.variants`), for code that differentiates them
        itself; passes back are counted as they happen."""
        model = cast(EmbeddingModel, self.model)
        logits = logits_of_variants(model, entry, text, self._count, modules=modules, hook=hook)
        check_finite(logits.detach().cpu().double().numpy(), np.full(len(entry), entry.shape[1], np.int32))
        return logits

    def add(self, counters: Counters) -> None:
        """Count what another engine ran for this one."""
        self._count(**asdict(counters))

    def attention(self, paths: Sequence[Path], *, differentiate: bool) -> Iterator[AttentionBatch]:
        """Attention in the ends of all paths, with the gradients of the target logits if `differentiate`.

        Order, and paths without targets, as in `gradients`. The model must be an OpenModel that attends.
        """
        call = partial(
            attention, cast(OpenModel, self.model), device=self.device, differentiate=differentiate
        )
        return self.along(paths, call, backward=differentiate)

    def pooled(self, paths: Sequence[Path], line: Line) -> Iterator[PoolBatch]:
        """What a PoolingModel pools at both ends of all paths; order and the rest as in `gradients`."""
        return self.along(paths, lambda points: pooled(self.model, points, self.device, line), ends=2)

    def activations(
        self, encodings: Sequence[Encoding], *, of_tokens: bool = False
    ) -> Iterator[ActivationBatch]:
        """The layers of every example, in ascending length; equal encodings come in equal order.

        Two engines walk the same texts in step, though the cuts between batches depend on their budgets.
        of_tokens: those of an OpenModel that have one vector per token, and the logits.
        """
        packed = pack([text_rows(encodings)], distinct=False)
        order = np.argsort(packed.source, kind="stable")
        shown = partial(layers_of, self.model, packed, self.device, of_tokens)
        for span, layers in self.run(packed.lengths, shown):
            lengths = packed.lengths[span]
            check_finite(layers[list(layers)[-1]], lengths)
            yield ActivationBatch(order[span], layers, np.arange(lengths[-1]) < lengths[:, None])

    def along(
        self,
        paths: Sequence[Path],
        call: Callable[[Points], AnyPathBatch],
        *,
        ends: int = 1,
        backward: bool = True,
    ) -> Iterator[AnyPathBatch]:
        """Call on batch after batch of the paths' points; check and count what comes back.

        ends: how many rows of the model a point stands for. backward: whether there is a backward pass for
        each target.
        """
        unchecked: list[tuple[Tensor, NDArray[np.int32]]] = []
        for points in (lay_out(paths, chosen) for chosen in groups(paths)):
            for _, batch in self.run(
                points.lengths, lambda span, points=points: call(points.cut(span)), ends
            ):
                # (B, K), or (ends, B, K).
                unchecked.append((batch.logits.movedim(-2, 0), batch.lengths))
                if not asynchronous(self.device):
                    check_gathered(unchecked)
                targets = points.targets.shape[1] if backward else 0
                self._count(backward_rows=ends * len(batch.path) * targets)
                yield batch
                del batch
        check_gathered(unchecked)

    def run(
        self,
        lengths: NDArray[np.int32],
        call: Callable[[slice], Result],
        ends: int = 1,
        *,
        budget: int = sys.maxsize,
        counters: Sequence[str] = MODEL_COUNTERS,
    ) -> Iterator[tuple[slice, Result]]:
        """Call on batch after batch of rows of ascending length; halve the budget when memory runs out.

        ends: how many rows of the model a row stands for. budget: tokens per batch, if below the engine's.
        counters: names of those that count it; none where `call` asks the engine, which counts for itself.
        """
        start, of_round = 0, self._tokens.round()
        while start < len(lengths):
            tokens = of_round.tokens(int(lengths[start]), min(self._tokens.most, budget))
            for span in batches(lengths, max(1, tokens // ends), start):
                began, rows = time.perf_counter(), lengths[span]
                try:
                    with without_autocast(self.device), of_round.watched(ends * len(rows), int(rows[-1])):
                        result = call(span)
                except (RuntimeError, MemoryError) as error:
                    if not out_of_memory(error):
                        raise
                    self._halve(rows)
                    break
                spent = ends * len(rows), ends * int(rows.sum()), time.perf_counter() - began
                self._count(**dict(zip(counters, spent, strict=False)))
                start = span.stop
                yield span, result
                # Or it would be in memory while the next one is made.
                del result
                if of_round.memory is not None:
                    break

    def _count(self, **amounts: float) -> None:
        """Add to the counters of those names."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self.counters, name, getattr(self.counters, name) + amount)

    def _halve(self, lengths: NDArray[np.int32]) -> None:
        """Lower the budget so that a batch of these rows is cut at least in two."""
        with self._lock:
            self.budget = self._tokens.halve(lengths)
        self._count(halvings=1)
        torch.cuda.empty_cache()  # which does nothing where there is no accelerator
