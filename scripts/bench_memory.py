"""What explaining costs in memory: flat in the number of texts and rows, an eighth of captum's.

    python scripts/bench_memory.py [--quick]

Every figure is the peak of resident memory of a fresh process. (a) Explaining 2,000 texts needs at most 1.10
times what 200 need (a small cnn; integrated gradients, smooth gradients and kernel SHAP); (b) LIME with 5,000
rows at most 1.15 times what 1,000 rows need (a text of 51 tokens, a BERT of MiniLM's size); (c) integrated
gradients with 50 steps on a text of 350 tokens, the same BERT: above the loaded model at most an eighth of
what captum's LayerIntegratedGradients needs by default. --quick: fewer texts and rows, a smaller BERT.
"""

from __future__ import annotations

import numpy as np
from bar import finish, fresh_process, options, peak
from inputs import explainer, random_bert, requests, without_tokenizer
from transformers import BertForSequenceClassification

from assay.explainers.baselines import Mask, Pad
from assay.explainers.protocol import Request
from assay.models.cnn import Cnn
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.example import Example
from assay.tasks.planted import planted

FLAT, LIME, EIGHTH = 1.10, 1.15, 8.0
TOKENS = 350


def bert(quick: bool) -> BertForSequenceClassification:
    """A random encoder of six layers, three with --quick."""
    return random_bert(3 if quick else 6)


def request(words: int) -> Request:
    """A request for one text of random ids between [CLS] and [SEP]."""
    ids = np.random.default_rng(0).integers(5, 8000, words).astype(np.int32)
    ids[[0, -1]] = 2, 3
    word_ids = np.arange(words, dtype=np.int32) - 1
    word_ids[-1] = -1
    offsets = np.zeros((words, 2), np.int32)
    offsets[1:-1] = np.arange(words - 2)[:, None] + [0, 1]
    encoding = Encoding(tuple(map(str, ids)), ids, np.zeros(words, np.int32), offsets, word_ids)
    return Request(Example("text", ("x" * (words - 2),), (0,)), encoding, np.array([1]))


def texts(count: int, quick: bool) -> float:
    """(a) several explainers over the texts of a task."""
    task = planted(train=200, dev=50, test=2000)
    engine = Engine(Cnn(init_only=True).untrained(task, 0))
    for method in (
        explainer("integrated_gradients", steps=20),
        explainer("smooth_grad_l2", samples=10),
        explainer("kernel_shap", rows=50),
    ):
        method.explain(engine, requests(engine, task.test[:count], (1,)), Mask())
    return peak()


def lime(rows: int, quick: bool) -> float:
    """(b) LIME on one text of 51 tokens."""
    explainer("lime", rows=rows).explain(Engine(without_tokenizer(bert(quick))), [request(51)], Mask())
    return peak()


def ours(tokens: int, quick: bool) -> float:
    """(c) integrated gradients, 50 steps."""
    engine = Engine(without_tokenizer(bert(quick)))
    # What the first call loads belongs to the loaded model.
    explainer("integrated_gradients", steps=1).explain(engine, [request(8)], Pad())
    loaded = peak()
    explainer("integrated_gradients", steps=50).explain(engine, [request(tokens)], Pad())
    return peak() - loaded


def captum(tokens: int, quick: bool) -> float:
    """(c) captum's LayerIntegratedGradients as its tutorial calls it, 50 steps by default."""
    import torch
    from captum.attr import LayerIntegratedGradients  # only here: it is part of no other peak

    network = bert(quick)

    def attribute(words: int, steps: int) -> None:
        ids = torch.from_numpy(request(words).encoding.ids.astype("int64"))[None]
        reference = torch.zeros_like(ids)
        reference[:, [0, -1]] = ids[:, [0, -1]]
        method = LayerIntegratedGradients(lambda ids: network(input_ids=ids).logits, network.bert.embeddings)
        method.attribute(ids, reference, target=1, n_steps=steps)

    attribute(8, steps=2)
    loaded = peak()
    attribute(tokens, steps=50)
    return peak() - loaded


def main() -> None:
    chosen = options(__doc__, "smaller sizes; under a minute")
    text_counts, row_counts = ((200, 1000), (1000, 3000)) if chosen.quick else ((200, 2000), (1000, 5000))
    few, many = (fresh_process(texts, count, chosen.quick) for count in text_counts)
    print(f"(a) {text_counts[0]} texts {few:.0f} MB, {text_counts[1]} texts {many:.0f} MB")
    short, long = (fresh_process(lime, rows, chosen.quick) for rows in row_counts)
    print(f"(b) {row_counts[0]} rows {short:.0f} MB, {row_counts[1]} rows {long:.0f} MB")
    own, peer = (fresh_process(method, TOKENS, chosen.quick) for method in (ours, captum))
    print(f"(c) above the model: Assay {own:.0f} MB, captum {peer:.0f} MB")
    finish(
        many <= FLAT * few and long <= LIME * short and peer >= EIGHTH * own,
        f"texts {many / few:.2f} (at most {FLAT:.2f}), LIME {long / short:.2f} (at most {LIME:.2f}), "
        f"captum / Assay {peer / own:.1f} (at least {EIGHTH:.0f})",
    )


if __name__ == "__main__":
    main()
