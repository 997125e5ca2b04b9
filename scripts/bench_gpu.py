"""Time Assay on a GPU against the raw network at its best batch size and against captum's own calls.

    python scripts/bench_gpu.py [--quick] [--device cuda] [--texts 64] [--rounds 5]

Networks of random weights: MiniLM's size, BERT-base's, and a decoder of half a billion weights (Qwen2's
layout); texts of random tokens, 10 to 60 each. Occlusion is asked in float32 and in bfloat16, integrated
gradients (50 steps) in float32; medians of rounds in which Assay and captum take turns.

Share of the limit: the time Assay's rows would take at the best time per row, over Assay's time. The best
time per row is that of the raw network in the same precision on batches of one length without padding, at
the best batch size for each length. Share of the peak: floating-point operations that were carried out, per
second, over those of a product of large matrices. The bar: occlusion reaches 95 % of the limit, and nothing
is slower than captum.

--quick: fewer texts, rounds and batches. --device cpu takes tiny networks, which says nothing about speed but
runs the same code. Without a GPU nothing is measured, and the bar is missed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import captum.attr as captum
import numpy as np
import torch
from bar import Table, finish, options
from inputs import explainer, random_bert, without_tokenizer
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForSequenceClassification

from assay.explainers.baselines import Mask
from assay.explainers.protocol import Request
from assay.models.budget import out_of_memory
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.flops import counted
from assay.models.precision import Kind, Precision
from assay.models.seeding import seeded
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

LEAST_SHARE, NOT_SLOWER, STEPS = 0.95, 1.0, 50
LENGTHS = (8, 16, 32, 64)
# Batches of the raw network grow by FACTOR until memory runs out, two in a row are no faster, or they have so
# many tokens.
FACTOR, TIMES, MOST_TOKENS, QUICK_TOKENS, TINY_TOKENS = 4, 3, 2**18, 2**15, 2**10
PEAK_SIZES = {"cuda": 8192, "cpu": 512}
TINY: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: rows per second of each, and shares."""

    ours: float
    theirs: float
    limit: float | None
    peak: float


def decoder(tiny: bool) -> Any:
    """A random decoder with a head for two classes, of the sizes of Qwen2.5-0.5B unless `tiny`."""
    whole = {"hidden_size": 896, "num_attention_heads": 14, "intermediate_size": 4864}
    kind = {"num_hidden_layers": 2, "vocab_size": 1000} if tiny else {"num_hidden_layers": 24}
    sizes: dict[str, Any] = {
        "vocab_size": 151_936,
        "num_key_value_heads": 2,
        **(TINY if tiny else whole),
        **kind,
    }
    with seeded(0):
        return Qwen2ForSequenceClassification(Qwen2Config(pad_token_id=0, **sizes)).eval()


def networks(tiny: bool) -> dict[str, Callable[[], Any]]:
    """What makes the networks, by name."""
    base = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
    return {
        "MiniLM": lambda: random_bert(2, 1000, **TINY) if tiny else random_bert(),
        "BERT base": lambda: random_bert(3, 1000, **TINY) if tiny else random_bert(12, 30_522, **base),
        "decoder of 0.5 billion": lambda: decoder(tiny),
    }


def texts(count: int) -> list[Request]:
    """Random tokens, the first and the last of which are special; the lengths are spread evenly."""
    rng, made = np.random.default_rng(0), []
    for number, length in enumerate(np.linspace(10, 60, count).round().astype(int).tolist()):
        ids = rng.integers(5, 1000, length).astype(np.int32)
        words = np.arange(length, dtype=np.int32) - 1
        words[-1] = -1
        offsets = np.stack([np.arange(length), np.arange(length) + 1], axis=1).astype(np.int32)
        encoding = Encoding(
            tokens=tuple(map(str, ids.tolist())),
            ids=ids,
            segments=np.zeros(length, dtype=np.int32),
            offsets=np.where(words[:, None] < 0, 0, offsets),
            word_ids=words,
        )
        made.append(Request(Example(str(number), ("x" * length,), (0,)), encoding, np.array([1])))
    return made


class Bench:
    """One network on one device."""

    def __init__(self, network: Any, device: str, chosen: Any) -> None:
        self.device, self.rounds, self.most_tokens = device, chosen.rounds, chosen.most_tokens
        network.to(device).requires_grad_(False)
        self.model: TransformerModel = without_tokenizer(network)
        self.requests = texts(chosen.texts)

    def seconds(self, call: Callable[[], object]) -> float:
        """Of a call, until the device has done it."""
        self._wait()
        began = time.perf_counter()
        call()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()

    def limit(self, network: Any) -> Callable[[float], float]:
        """The best seconds per row of so many tokens, straight lines between LENGTHS."""
        best = [self._best(network, length) for length in LENGTHS]
        return lambda tokens: float(np.interp(tokens, LENGTHS, best))

    def _best(self, network: Any, length: int) -> float:
        rows, found = 1, [float("inf")]
        while rows * length <= self.most_tokens and (len(found) < 4 or min(found[-2:]) <= min(found)):
            ids = torch.randint(5, 1000, (rows, length), device=self.device)
            try:
                with torch.inference_mode():
                    network(input_ids=ids)
                    taken = [self.seconds(lambda ids=ids: network(input_ids=ids)) for _ in range(TIMES)]
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                break
            found.append(min(taken) / rows)
            rows *= FACTOR
        return min(found)

    def occlusion(self, kind: Kind, peak: float) -> Line:
        """Occlusion by Assay, and by captum on a network in the same precision."""
        engine = Engine(self.model, self.device, precision=Precision(kind))
        network = self.model.network if kind == "float32" else deepcopy(self.model.network).bfloat16()
        method = captum.FeatureAblation(lambda ids: _logits(network, ids))

        def theirs() -> None:
            with torch.no_grad():
                for request in self.requests:
                    ids, masked = self._ids(request)
                    method.attribute(ids, baselines=masked, target=1)

        ours = explainer("occlusion")
        return self._raced(lambda: ours.explain(engine, self.requests, Mask()), theirs, engine, network, peak)

    def integrated_gradients(self, peak: float) -> Line:
        """Integrated gradients by both, between token embeddings by captum."""
        engine, network = Engine(self.model, self.device), self.model.network
        table = network.get_input_embeddings()
        method = captum.IntegratedGradients(
            lambda rows: (
                network(
                    inputs_embeds=rows, attention_mask=torch.ones(rows.shape[:2], device=rows.device)
                ).logits
            )
        )

        def theirs() -> None:
            for request in self.requests:
                text, masked = (table(ids) for ids in self._ids(request))
                method.attribute(text, baselines=masked, target=1, n_steps=STEPS)

        ours = explainer("integrated_gradients", steps=STEPS)
        return self._raced(lambda: ours.explain(engine, self.requests, Mask()), theirs, engine, None, peak)

    def _ids(self, request: Request) -> tuple[Tensor, Tensor]:
        """(1, T) the tokens, and with all that are not special masked; copied as users do."""
        ids = torch.from_numpy(request.encoding.ids.astype(np.int64))[None]
        masked = ids.masked_fill(torch.from_numpy(request.encoding.content), int(self.model.mask_id or 0))
        return ids.to(self.device), masked.to(self.device)

    def _raced(
        self,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        engine: Engine,
        network: Any,
        peak: float,
    ) -> Line:
        """Both sides in turn. network: that has a limit; None for gradients."""
        before = engine.counters.copy()
        operations = counted(ours)
        spent = engine.counters.since(before)
        theirs()
        laps = [(self.seconds(ours), self.seconds(theirs)) for _ in range(self.rounds)]
        own, other = (statistics.median(side) for side in zip(*laps, strict=True))
        rows = spent.forward_rows
        limit = None
        if network is not None:
            limit = rows * self.limit(network)(spent.forward_tokens / rows) / own
        return Line(rows / own, rows / other, limit, operations / own / peak)


def _logits(network: Any, ids: Tensor) -> Tensor:
    return cast(Tensor, network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits)


def peak(device: str, dtype: torch.dtype, bench: Bench) -> float:
    """Operations per second of a product of two square matrices, the best of several."""
    size = PEAK_SIZES[device.partition(":")[0]]
    left, right = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    bench.seconds(lambda: left @ right)
    return 2.0 * size**3 / min(bench.seconds(lambda: left @ right) for _ in range(10))


def main() -> None:
    chosen = options(
        __doc__,
        "6 texts, one round, smaller batches of the raw network",
        device=("cuda", "cuda, or cpu with tiny networks"),
        texts=(64, "how many"),
        rounds=(5, "of Assay and captum in turn"),
    )
    if chosen.quick:
        chosen.texts, chosen.rounds = 6, 1
    if chosen.device != "cpu" and not torch.cuda.is_available():
        finish(
            False,
            "no GPU was found, so nothing was measured; --device cpu runs the same code on tiny networks",
        )
    tiny = chosen.device == "cpu"
    chosen.most_tokens = TINY_TOKENS if tiny else QUICK_TOKENS if chosen.quick else MOST_TOKENS
    print("processor, tiny networks" if tiny else torch.cuda.get_device_name(chosen.device))
    numbers = {"Assay": ",.0f", "captum": ",.0f", "ratio": ".2f", "limit": ".0%", "peak": ".1%"}
    table = Table("network", "method", **numbers)
    slowest, least = float("inf"), float("inf")
    for name, make in networks(tiny).items():
        bench = Bench(make(), chosen.device, chosen)
        float32, bfloat16 = (peak(chosen.device, kind, bench) for kind in (torch.float32, torch.bfloat16))
        for title, measure in (
            ("occlusion", lambda bench=bench, peak=float32: bench.occlusion("float32", peak)),
            ("occlusion, bfloat16", lambda bench=bench, peak=bfloat16: bench.occlusion("bfloat16", peak)),
            ("integrated gradients", lambda bench=bench, peak=float32: bench.integrated_gradients(peak)),
        ):
            line = measure()
            ratio = line.ours / line.theirs
            told = f"tiny {name}" if tiny else name
            table.row(told, title, line.ours, line.theirs, ratio, line.limit, line.peak)
            slowest = min(slowest, ratio)
            least = least if line.limit is None else min(least, line.limit)
        del bench
    finish(
        slowest >= NOT_SLOWER and least >= LEAST_SHARE,
        f"rows per second; at least {slowest:.2f} x captum's (at least {NOT_SLOWER:.2f}) and {least:.0%} of "
        f"the raw network's at its best batch size (at least {LEAST_SHARE:.0%})",
    )


if __name__ == "__main__":
    main()
