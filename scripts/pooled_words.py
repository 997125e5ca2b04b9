"""Pooled word vectors, mapped back to words: is anything lost, and what does it look like on real reviews?

    python scripts/pooled_words.py [--quick] [--out FILE]

Trains `maxpool` on movie reviews, then

1. on reviews that it was not trained on: the gap of the sums of `pooled_ig` and `pooled_shapley`, the largest
   difference of `pooled_ig` from `integrated_gradients`, and, on reviews of at most 10 words, of
   `pooled_shapley` from KernelSHAP with all coalitions, which is exact;
2. draws the ten most important dimensions of both classes, and of two reviews, into FILE (.png or .svg).
The bar: none of the three exceeds 1e-5 of a logit. The trained model is asked in double precision, because on
the path of integrated gradients float32 ties words that are nearly equal; scores are kept in float32.
--quick: few reviews; under a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from bar import Table, finish, options

import assay
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.harness.interface.classifiers import Classifier
from assay.models.word_model import WordModel
from assay.results.figures.pooled_words import pooled_words
from assay.results.figures.style import Drawing
from assay.tasks.example import Example

LIMIT = 1e-5
WORDS = 10
LENGTH = (8, 14)  # words of a review whose bars are drawn


def words_of(model: Classifier, text: Example) -> int:
    """How many the model reads."""
    (encoding,) = model.model.encode([text.texts])
    return len(encoding)


def differences(model: Classifier, texts: Sequence[Example]) -> dict[str, tuple[float, int]]:
    """What is compared, to the largest difference and the number of reviews."""
    short = [text for text in texts if words_of(model, text) <= WORDS]
    names = ["pooled_ig", "pooled_shapley", "integrated_gradients"]
    found = assay.explain(model, texts, names, baseline="mask")
    exact = assay.explain(model, short, ["pooled_shapley", KernelShap(rows=2**WORDS)], baseline="mask")
    gaps = [abs(one.completeness_gap) for name in names[:2] for of in found[name].records for one in of]
    return {
        "sums": (max(gaps), len(texts)),
        "pooled_ig and integrated_gradients": (largest(found, "pooled_ig", names[2]), len(texts)),
        "pooled_shapley and all coalitions": (largest(exact, "pooled_shapley", "kernel_shap"), len(short)),
    }


def largest(found: assay.Explanations, name: str, other: str) -> float:
    """The largest difference of any score of two methods."""
    pairs = zip(found[name].records, found[other].records, strict=True)
    both = (pair for left, right in pairs for pair in zip(left, right, strict=True))
    return max(float(np.abs(one.scores - two.scores).max()) for one, two in both)


def picture(model: Classifier, texts: Sequence[Example]) -> Drawing:
    """Both classes, and for each the review of few words that the model is surest of."""
    panels = []
    for label in model.labels:
        found = assay.important_words(model, texts, label)
        print(f"\n{label}: {found}")
        panels.append(found.panel)
    few = [text for text in texts if LENGTH[0] <= words_of(model, text) <= LENGTH[1]]
    probabilities = model.predict_proba(few)
    for place, label in enumerate(model.labels):
        text = few[int(probabilities[:, place].argmax())]
        found = assay.important_words(model, text, label)
        print(f"\n{label}: {text.texts[0]}\n{found}")
        panels.append(found.panel)
    return pooled_words(panels)


def main() -> None:
    """Run and print everything."""
    chosen = options(
        __doc__, "few reviews and epochs", out=("pooled_words.png", "the picture's file, .png or .svg")
    )
    sizes = {"train": 600, "dev": 100, "test": 200} if chosen.quick else {"test": 1500}
    task = assay.task("reviews", **sizes)
    model = assay.fit("maxpool", task, training={"epochs": 3} if chosen.quick else {})
    cast(WordModel, model.model).network.double()
    right = model.predict_proba(task.test).argmax(axis=1) == [text.labels[0] for text in task.test]
    print(f"accuracy on {len(right)} reviews: {right.mean():.3f}\n")
    table = Table("compared", largest_difference=".1e", reviews="d")
    found = differences(model, task.test[: 50 if chosen.quick else 500])
    for name, numbers in found.items():
        table.row(name, *numbers)
    drawing = picture(model, task.test)
    path = Path(chosen.out)
    path.write_bytes(drawing.svg if path.suffix == ".svg" else drawing.png)
    worst = max(difference for difference, _ in found.values())
    print(f"\nthe picture is in {path}\n")
    finish(worst <= LIMIT, f"largest difference {worst:.1e} of a logit (bar: {LIMIT:.0e})")


if __name__ == "__main__":
    main()
