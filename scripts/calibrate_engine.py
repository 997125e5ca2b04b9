"""Time token budgets on this machine, to choose the two constants of models/engine.py.

    python scripts/calibrate_engine.py [--quick] [--checkpoint FOLDER]

Every budget runs the same texts of mixed lengths, forwards and with gradients, in rounds that alternate
between budgets; the least time of a budget counts, because other processes only ever add to it. Prints ratios
to the fastest budget (1.00), which compare within one run on one machine and nowhere else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

from assay.models.cnn import CnnNetwork
from assay.models.encoding import Encoding
from assay.models.engine import Engine, Path
from assay.models.protocol import Batch
from assay.models.rows import Rows

BUDGETS = tuple(2**n for n in range(8, 16))
WORDS = 8000

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # embeddings, attention to logits


class Timed:
    """What the engine asks of a model, around an embedding and the network above it; it encodes no texts."""

    multi_label = False
    pad_id = 0
    mask_id: int | None = None

    def __init__(self, network: nn.Module, embedding: nn.Module, forward: Forward, classes: int) -> None:
        self.network = network.eval()
        self.embedding = embedding
        self.forward = forward
        self.labels = tuple(map(str, range(classes)))

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        raise NotImplementedError("calibration draws its own token ids")

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.embedding(ids)

    def logits(self, batch: Batch) -> torch.Tensor:
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.forward(embeddings, batch.attention)


def small() -> Timed:
    """A cnn of the shipped sizes with random weights."""
    network = CnnNetwork(WORDS, 3, dimensions=100, widths=(3, 4, 5), channels=50, dropout=0.0)
    return Timed(network, network.embedding, lambda e, attention: network(e, attention)["logits"], 3)


def large(checkpoint: str | None) -> Timed:
    """A checkpoint's encoder, or a random one of MiniLM's size (6 layers of 384)."""
    if checkpoint:
        network = AutoModelForSequenceClassification.from_pretrained(checkpoint, trust_remote_code=False)
    else:
        config = BertConfig(
            vocab_size=WORDS,
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1536,
        )
        network = BertForSequenceClassification(config)
    return Timed(
        network,
        network.get_input_embeddings(),
        lambda e, attention: network(inputs_embeds=e, attention_mask=attention.long()).logits,
        network.num_labels or 2,
    )


def texts(count: int) -> list[Rows]:
    """Single rows of random ids; nine of ten have tweet lengths (about 20 tokens), one is a passage."""
    rng = np.random.default_rng(0)
    rows = []
    for nth in range(count):
        length = int(rng.integers(100, 250) if nth % 10 == 0 else rng.integers(8, 33))
        ids = rng.integers(5, 1000, (1, length)).astype(np.int32)
        rows.append(Rows(ids, np.zeros_like(ids), np.array([length], dtype=np.int32)))
    return rows


def forwards(engine: Engine, pool: Sequence[Rows]) -> None:
    engine.logits(pool)


def gradients(engine: Engine, pool: Sequence[Rows]) -> None:
    paths = [Path(rows, rows, np.ones(1), np.zeros(1, dtype=np.intp)) for rows in pool]
    for _ in engine.gradients(paths):
        pass


def compare(
    model: Timed, work: Callable[[Engine, Sequence[Rows]], None], pool: Sequence[Rows], rounds: int
) -> dict[int, float]:
    """Budget to its least seconds, as a ratio to the best budget's."""
    best = dict.fromkeys(BUDGETS, np.inf)
    work(Engine(model, budget=BUDGETS[0]), pool[:4])
    for _ in range(rounds):
        for budget in BUDGETS:
            began = time.perf_counter()
            work(Engine(model, budget=budget), pool)
            best[budget] = min(best[budget], time.perf_counter() - began)
    fastest = min(best.values())
    return {budget: seconds / fastest for budget, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time token budgets; ratios to the fastest, 1.00 is best.")
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds; a minute or two")
    parser.add_argument("--checkpoint", help="folder of a Hugging Face classifier, for random weights")
    options = parser.parse_args()
    share, rounds = (1, 3) if options.quick else (6, 5)
    cases = [
        ("cnn, forwards", small(), forwards, 1000),
        ("cnn, gradients", small(), gradients, 400),
        ("transformer, forwards", large(options.checkpoint), forwards, 60),
        ("transformer, gradients", large(options.checkpoint), gradients, 20),
    ]
    print(f"{'tokens in a batch':24}" + "".join(f"{budget:>8}" for budget in BUDGETS))
    for title, model, work, count in cases:
        ratios = compare(model, work, texts(count * share), rounds)
        print(f"{title:24}" + "".join(f"{ratio:8.2f}" for ratio in ratios.values()), flush=True)


if __name__ == "__main__":
    main()
