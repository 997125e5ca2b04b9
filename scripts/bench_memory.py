"""What explaining costs in memory: flat in the number of texts and rows, an eighth of captum's.

    python scripts/bench_memory.py [--quick]

Every figure is the peak of resident memory of a fresh process. (a) Explaining 2,000 texts needs at most 1.10
times what 200 need (a small cnn; integrated gradients, smooth gradients and kernel SHAP); (b) LIME with 5,000
rows at most 1.15 times what 1,000 rows need (a text of 51 tokens, a BERT of MiniLM's size); (c) integrated
gradients with 50 steps on a text of 350 tokens, the same BERT: above the loaded model at most an eighth of
what captum's LayerIntegratedGradients needs by default. --quick: fewer texts and rows, a smaller BERT.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, cast

FLAT, LIME, EIGHTH = 1.10, 1.15, 8.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Texts of (a), rows of (b), tokens of the text of (c)."""

    texts: tuple[int, int]
    rows: tuple[int, int]
    tokens: int


FULL = Sizes(texts=(200, 2000), rows=(1000, 5000), tokens=350)
QUICK = Sizes(texts=(200, 1000), rows=(1000, 3000), tokens=350)


def peak() -> float:
    """MB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bert(quick: bool):
    """A random encoder of MiniLM's size (6 layers of 384; quick: 3 layers)."""
    from transformers import BertConfig, BertForSequenceClassification

    from assay.models.seeding import seeded

    config = BertConfig(
        vocab_size=8000,
        hidden_size=384,
        num_hidden_layers=3 if quick else 6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    with seeded(0):
        return BertForSequenceClassification(config).eval()


def encoded(words: int, seed: int = 0):
    """A request for one text of random ids between [CLS] and [SEP]."""
    import numpy as np

    from assay.explainers.protocol import Request
    from assay.models.encoding import Encoding
    from assay.tasks.example import Example

    ids = np.random.default_rng(seed).integers(5, 8000, words).astype(np.int32)
    ids[[0, -1]] = 2, 3
    word_ids = np.arange(words, dtype=np.int32) - 1
    word_ids[-1] = -1
    offsets = np.zeros((words, 2), np.int32)
    offsets[1:-1] = np.arange(words - 2)[:, None] + [0, 1]
    example = Example(f"text {seed}", ("x" * (words - 2),), (0,))
    encoding = Encoding(tuple(map(str, ids)), ids, np.zeros(words, np.int32), offsets, word_ids)
    return Request(example, encoding, np.array([1]))


def wrapped(network):
    """The encoder as a model of ours."""
    from assay.models.limit import Limit
    from assay.models.transformer import Transformer
    from assay.models.transformer_model import TransformerModel

    class Tokenizer:
        """No text is encoded here; the model only asks for two ids and the names of its inputs."""

        pad_token_id, mask_token_id, unk_token_id = 0, 4, 1
        model_input_names = ("input_ids", "token_type_ids", "attention_mask")

    return TransformerModel(
        Transformer(),
        network,
        cast(Any, Tokenizer()),
        tuple(network.config.id2label.values()),
        multi_label=False,
        limit=Limit(512, "error"),
    )


def texts(count: int, quick: bool) -> None:
    """(a) several explainers over so many texts of a task."""
    import numpy as np

    from assay.explainers.baselines import Mask
    from assay.explainers.integrated_gradients import IntegratedGradients
    from assay.explainers.kernel_shap import KernelShap
    from assay.explainers.protocol import Request
    from assay.explainers.smooth_grad import SmoothGrad
    from assay.models.cnn import Cnn
    from assay.models.engine import Engine
    from assay.models.seeding import seeded
    from assay.tasks.planted import planted

    task = planted(train=200, dev=50, test=2000)
    with seeded(0):
        model = Cnn(init_only=True).untrained(task, 0)
    engine = Engine(model)
    examples = task.test[:count]
    encodings = model.encode([example.texts for example in examples])
    asked = [Request(e, encoding, np.array([1])) for e, encoding in zip(examples, encodings, strict=True)]
    for method in (IntegratedGradients(steps=20), SmoothGrad(samples=10), KernelShap(rows=50)):
        method.explain(engine, asked, Mask())


def lime(rows: int, quick: bool) -> None:
    """(b) LIME with so many rows on one text of 51 tokens."""
    from assay.explainers.baselines import Mask
    from assay.explainers.lime import Lime
    from assay.models.engine import Engine

    Lime(rows=rows).explain(Engine(wrapped(bert(quick))), [encoded(51)], Mask())


def ours(tokens: int, quick: bool) -> None:
    """(c) integrated gradients, 50 steps."""
    from assay.explainers.baselines import Pad
    from assay.explainers.integrated_gradients import IntegratedGradients
    from assay.models.engine import Engine

    engine, asked = Engine(wrapped(bert(quick))), [encoded(tokens)]
    # What a first call brings in, such as code that is loaded when it is needed, belongs to the loaded model.
    IntegratedGradients(steps=1).explain(engine, [encoded(8)], Pad())
    loaded = peak()
    IntegratedGradients(steps=50).explain(engine, asked, Pad())
    print(f"above {peak() - loaded}")


def captum(tokens: int, quick: bool) -> None:
    """(c) captum's LayerIntegratedGradients as its tutorial calls it, 50 steps by default."""
    import torch
    from captum.attr import LayerIntegratedGradients

    network = bert(quick)

    def attribute(words: int, **options: Any) -> None:
        ids = torch.from_numpy(encoded(words).encoding.ids.astype("int64"))[None]
        reference = torch.zeros_like(ids)
        reference[:, [0, -1]] = ids[:, [0, -1]]
        method = LayerIntegratedGradients(lambda ids: network(input_ids=ids).logits, network.bert.embeddings)
        method.attribute(ids, reference, target=1, **options)

    attribute(8, n_steps=2)
    loaded = peak()
    attribute(tokens)
    print(f"above {peak() - loaded}")


PARTS = {"texts": texts, "lime": lime, "ours": ours, "captum": captum}


def measured(part: str, size: int, quick: bool) -> float:
    """MB of a part in a process of its own: its peak, or what it says it needed above the loaded model."""
    command = [sys.executable, __file__, "--part", part, "--size", str(size), *(["--quick"] if quick else [])]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"the part {part} failed:\n{run.stderr}")
    figures = dict(line.split() for line in run.stdout.splitlines() if line.startswith(("above ", "peak ")))
    return float(figures.get("above", figures["peak"]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes; under a minute")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        PARTS[options.part](options.size, options.quick)
        print(f"peak {peak()}")
        return
    sizes = QUICK if options.quick else FULL
    few, many = (measured("texts", size, options.quick) for size in sizes.texts)
    print(f"(a) {sizes.texts[0]} texts {few:.0f} MB, {sizes.texts[1]} texts {many:.0f} MB: {many / few:.2f}")
    short, long = (measured("lime", size, options.quick) for size in sizes.rows)
    print(f"(b) {sizes.rows[0]} rows {short:.0f} MB, {sizes.rows[1]} rows {long:.0f} MB: {long / short:.2f}")
    here, peer = (measured(part, sizes.tokens, options.quick) for part in ("ours", "captum"))
    print(f"(c) above the model: Assay {here:.0f} MB, captum {peer:.0f} MB: 1/{peer / here:.1f}")
    met = many <= FLAT * few and long <= LIME * short and peer >= EIGHTH * here
    print(
        f"bar: {'met' if met else 'missed'}; texts {many / few:.2f} (at most {FLAT:.2f}), LIME "
        f"{long / short:.2f} (at most {LIME:.2f}), captum / Assay {peer / here:.1f} (at least {EIGHTH:.0f})"
    )
    sys.exit(not met)


if __name__ == "__main__":
    main()
