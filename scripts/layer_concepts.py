"""Concepts of a layer and the attention of a text, on real reviews: what they keep, and how they look.

    python scripts/layer_concepts.py [--quick] [--out FOLDER]

Trains `cnn` on movie reviews, finds eight concepts of its pooled layer in reviews that it was not trained
on, by NMF and by k-means, and prints what they keep beside what needs no concepts. Draws those of NMF into
FOLDER/layer_concepts.png, and what all-MiniLM-L6-v2, as pretrained, reads in one sentence into
FOLDER/attention_rollout.png.
The bar: through the concepts of NMF at least 80 % of the decisions stay (always saying the most frequent
class keeps about half), and they are more stable than vectors drawn from the layer.
--quick: few reviews; under a minute.
"""

from __future__ import annotations

from pathlib import Path

from bar import Table, finish, options

import assay
from assay.explainers.concepts.dictionary import METHODS

BAR = 0.8
SENTENCE = "An unforgettable, heartbreakingly honest film with a wonderful cast."


def main() -> None:
    """Run and print everything."""
    chosen = options(__doc__, "few reviews and epochs", out=(".", "the folder of the pictures"))
    sizes = {"train": 600, "dev": 100, "test": 100} if chosen.quick else {"train": 4000, "test": 400}
    task = assay.task("reviews", **sizes)
    model = assay.fit("cnn", task, training={"epochs": 4} if chosen.quick else {})
    table = Table("method", relative_error=".2f", unchanged=".2f", stability=".2f", by_chance=".2f")
    found = {}
    for method in METHODS:
        found[method] = assay.layer_concepts(model, task.test, "pooled", number=8, method=method)
        one = found[method]
        table.row(method, one.error, one.unchanged, one.stability, one.learned.by_chance)
    nmf, folder = found["nmf"], Path(chosen.out)
    print(f"\n{nmf.quality().to_string(index=False)}\n\n{nmf}\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layer_concepts.png").write_bytes(nmf.figure().png)
    few = assay.task("reviews", train=40, dev=20, test=20)
    read = assay.attention(assay.fit("minilm", few, init_only=True), SENTENCE)
    (folder / "attention_rollout.png").write_bytes(read.rollout_figure().png)
    print(f"{read}; the pictures are in {folder}\n")
    kept = nmf.unchanged >= BAR and nmf.stability > nmf.learned.by_chance
    finish(
        kept, f"{nmf.unchanged:.0%} of decisions unchanged (bar: {BAR:.0%}), stability {nmf.stability:.2f}"
    )


if __name__ == "__main__":
    main()
