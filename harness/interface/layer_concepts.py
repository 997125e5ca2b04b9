"""The concepts that a hidden layer holds, found without labels: their words, and how much the model needs
them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.explainers.concepts.concept_importance import ConceptEffects, concept_effects
from assay.explainers.concepts.concept_words import ConceptUse, concept_use
from assay.explainers.concepts.dictionary import Floats, Method
from assay.explainers.concepts.layer_concepts import (
    LayerConcept,
    LearnedConcepts,
    layer_concepts_for,
    learned_concepts,
)
from assay.explainers.concepts.layer_vectors import sampled_vectors
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.tasks import as_examples
from assay.metrics.cell_data import Bools, predicted
from assay.models.neurons import hidden_layer
from assay.results.inert import inert
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, did_you_mean
from assay.tasks.example import Example
from assay.tasks.randomness import generator

if TYPE_CHECKING:
    import pandas as pd

    from assay.results.figures.style import Drawing


@dataclass(frozen=True, slots=True, eq=False)
class LayerConcepts:
    """The concepts of a hidden layer; made by `layer_concepts`.

    Attributes:
        classifier: the explained classifier.
        layer: the layer's name.
        learned: the concepts, with their error and stability.
        examples: the texts.
        use: how much of each concept the texts and words have.
        explained: (E,) the places of the texts through which the rest of the model was asked.
        effects: one for each of them.
        given: (E, K) the classes that the model gives them.
        kept: (E, K) those that it gives through the rebuilt layer.
    """

    classifier: Classifier
    layer: str
    learned: LearnedConcepts
    examples: tuple[Example, ...]
    use: ConceptUse
    explained: tuple[int, ...]
    effects: tuple[ConceptEffects, ...]
    given: Bools
    kept: Bools

    @property
    def error(self) -> float:
        """|vectors - rebuilt| / |vectors - mean| of the vectors that the concepts were learned from."""
        return self.learned.error

    @property
    def unchanged(self) -> float:
        """The share of the explained texts whose decision stays when the layer is rebuilt from concepts."""
        return float((self.given == self.kept).all(axis=1).mean())

    @property
    def stability(self) -> float:
        """The cosine of the concepts with those of other seeds, mean over concepts."""
        return float(self.learned.stability.mean())

    def of(self, label: str) -> list[LayerConcept]:
        """All concepts by their Sobol index for a label, over the explained texts that the model gives it.

        Raises:
            InputError: an unknown label, or one that the model gives to none of the explained texts.
        """
        labels = self.classifier.labels
        if label not in labels:
            raise InputError(f"there is no label {label!r}; {did_you_mean(label, labels)}")
        target = labels.index(label)
        having = [one for one, has in zip(self.effects, self.given[:, target], strict=True) if has]
        if not having:
            raise InputError(
                f"the model gives {label!r} to none of the {len(self.explained)} explained texts; give more "
                "texts, or a larger explained="
            )
        return layer_concepts_for(self.learned, self.use, having, target)

    def table(self, label: str) -> pd.DataFrame:
        """`of` as a table: one row per concept, with its words and the text that has most of it."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "label": label,
                    "concept": one.number,
                    "sobol": one.sobol,
                    "deletion": one.deletion,
                    "stability": one.stability,
                    "words": ", ".join(f"{word} {part:.2g}" for word, part in one.words),
                    "text": " / ".join(self.examples[one.texts[0]].texts) if one.texts else "",
                }
                for one in self.of(label)
            ]
        )

    def quality(self) -> pd.DataFrame:
        """What the concepts keep: one row per measure, with its value and what needs no concepts to get."""
        import pandas as pd

        most = float(self.given[:, self.given.sum(axis=0).argmax()].mean())
        rows = [
            ("relative error", self.error, 1.0, "the mean of the layer"),
            ("unchanged decisions", self.unchanged, most, "always the most frequent class"),
            ("stability", self.stability, self.learned.by_chance, "vectors drawn from the layer"),
        ]
        return pd.DataFrame(rows, columns=["measure", "value", "without concepts", "which is"])

    def figure(self) -> Drawing:
        """The concepts of every label that the model gives, the most important first, with their words."""
        from assay.results.figures.layer_concepts import layer_concepts_figure

        return layer_concepts_figure({label: self.of(label) for label in self.given_labels()}, self.layer)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the figure as SVG and PNG, and the tables as CSV; returns their paths."""
        import pandas as pd

        from assay.results.inert import to_csv

        drawing = self.figure()
        files = {
            "concepts.csv": to_csv(pd.concat([self.table(label) for label in self.given_labels()])),
            "quality.csv": to_csv(self.quality()),
            f"{drawing.name}.svg": drawing.svg,
            f"{drawing.name}.png": drawing.png,
        }
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return [Path(folder) / name for name in files]

    def given_labels(self) -> list[str]:
        """The labels that the model gives to any of the explained texts."""
        return [label for at, label in enumerate(self.classifier.labels) if self.given[:, at].any()]

    def __len__(self) -> int:
        return len(self.use.words)

    def __repr__(self) -> str:
        dictionary = self.learned.dictionary
        head = (
            f"{counted(len(self), 'concept')} ({dictionary.method}) of layer {self.layer!r} in "
            f"{counted(len(self.examples), 'text')}: relative error {self.error:.2f}, "
            f"{self.unchanged:.0%} of decisions unchanged, stability {self.stability:.2f}"
        )
        lines = (
            f"  {number}: {', '.join(inert(word) for word, _ in words) or '(no word)'}"
            for number, words in enumerate(self.use.words)
        )
        return "\n".join([head, *lines])


@checked
def layer_concepts(
    classifier: Classifier,
    texts: object,
    layer: str | None = None,
    *,
    number: int = 10,
    method: Method = "nmf",
    vectors: int = 2000,
    explained: int = 100,
    points: int = 32,
    seed: int = 0,
) -> LayerConcepts:
    """The concepts that a hidden layer holds, found without labels.

    A layer with one vector per token is taken token by token, one with one vector per text text by text; to
    learn from sentences, as COCKATIEL does, give sentences as texts.

    Args:
        classifier: from `fit` or `wrap`.
        texts: texts, pairs of texts, or examples.
        layer: one of the model's hidden layers, such as "pooled" or "layer_3"; None for the highest.
        number: of concepts.
        method: "nmf" (COCKATIEL; of a layer with values below 0, the parts above and below 0 side by side)
            or "kmeans".
        vectors: from at most so many vectors of the layer, drawn at random, concepts are learned.
        explained: in at most so many texts, drawn at random, importance is asked of the model.
        points: of the Sobol indices; each costs number + 1 rows of the model per text.
        seed: of the draws and of the start.

    Returns:
        `LayerConcepts`.

    Raises:
        InputError: a model without hidden layers, an unknown layer, more concepts than the layer has vectors,
            or numbers out of range.

    Example:
        >>> layer_concepts(classifier, task.train, "pooled", number=5)  # doctest: +SKIP
    """
    check_classifier(classifier)
    check_at_least("layer_concepts: vectors", vectors, 1)
    check_at_least("layer_concepts: explained", explained, 1)
    if points < 2 or points % 2:
        raise InputError(f"layer_concepts: points is {points}; expected an even number from 2 on")
    engine, name = classifier.engine, hidden_layer(classifier.model, layer)
    examples = as_examples(texts, pairs=classifier.pairs)
    check_answers(classifier, examples)
    learned = learned_concepts(sampled_vectors(engine, examples, name, vectors, seed), number, method, seed)
    of_tokens = name in getattr(classifier.model, "layers", ())
    use = concept_use(engine, examples, name, learned.dictionary, of_tokens=of_tokens)
    drawn = generator(seed, "layer_concepts", "explained").permutation(len(examples))[:explained]
    places = sorted(drawn.tolist())
    few = [examples[at] for at in places]
    found = dict(concept_effects(engine, few, name, learned.dictionary, points, seed))
    effects = tuple(found[at] for at in range(len(few)))
    given = _decided(classifier, engine.probabilities(engine.model.encode([one.texts for one in few])))
    kept = _decided(classifier, _probabilities(classifier, np.stack([one.logits for one in effects])))
    return LayerConcepts(classifier, name, learned, tuple(examples), use, tuple(places), effects, given, kept)


def _decided(classifier: Classifier, probabilities: Floats) -> Bools:
    return predicted(probabilities, multi_label=classifier.model.multi_label)


def _probabilities(classifier: Classifier, logits: Floats) -> Floats:
    import torch

    from assay.models.protocol import probabilities

    return probabilities(torch.from_numpy(logits), multi_label=classifier.model.multi_label).numpy()
