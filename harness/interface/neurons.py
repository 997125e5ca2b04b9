"""The neurons of a hidden layer: which of them carry a class, and which words drive them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.neurons.ablation import ablation, counts_of
from assay.explainers.neurons.conductance import Floats, NeuronConductance, NeuronScores
from assay.explainers.neurons.summary import Neuron, check_neurons, top_neurons
from assay.explainers.protocol import Request
from assay.harness.interface.arguments import checked
from assay.harness.interface.baselines import one_baseline
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.tasks import as_examples, items_of
from assay.metrics.cell_data import predicted
from assay.models.neurons import hidden_layer
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Task
from assay.tasks.grouping import clusters

if TYPE_CHECKING:
    import pandas as pd

    from assay.results.figures.style import Drawing
    from assay.results.statistics.ablation_curve import AblationCurve
    from assay.results.statistics.estimates import Bootstrap


@dataclass(frozen=True, slots=True, eq=False)
class Neurons:
    """The neurons of a hidden layer on some texts; made by `neurons`.

    Attributes:
        classifier: the explained classifier.
        explainer: the layer and the steps of the path.
        baseline: what "absent" means.
        scores: one per text.
        probabilities: (N, K) the model's output.
        k: how many neurons `top` and the figure show.
    """

    classifier: Classifier
    explainer: NeuronConductance
    baseline: Baseline
    scores: tuple[NeuronScores, ...]
    probabilities: Floats
    k: int

    @property
    def layer(self) -> str:
        """The layer's name."""
        return hidden_layer(self.classifier.model, self.explainer.layer)

    @property
    def conductance(self) -> Floats:
        """(N, K, U) by text, class and neuron; positive speaks for the class."""
        return np.stack([one.conductance for one in self.scores])

    @property
    def gaps(self) -> Floats:
        """(N, K) what the neurons of a text miss of f(text) - f(baseline), in logits."""
        return np.array([one.change - one.conductance.sum(axis=1) for one in self.scores])

    def of(self, label: str, text: int | None = None) -> list[Neuron]:
        """The top neurons for a label with the words that drive them.

        Args:
            label: the name of a class.
            text: the number of a text; None for all texts that the model gives the label.

        Raises:
            InputError: an unknown label or text, or a label that the model gives to no text.
        """
        return top_neurons(
            self.explainer,
            self.classifier.engine,
            self._texts(label, text),
            self.baseline,
            self._class(label),
            self.k,
        )

    def top(self, label: str, text: int | None = None) -> pd.DataFrame:
        """`of` as a table: one row per neuron, with `conductance` and `words`."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "neuron": neuron.number,
                    "conductance": neuron.conductance,
                    "words": ", ".join(f"{word} {part:+.3g}" for word, part in neuron.words),
                }
                for neuron in self.of(label, text)
            ]
        )

    def curve(
        self,
        label: str | None = None,
        counts: Sequence[int] | None = None,
        draws: int = 10,
        bootstrap: Bootstrap | None = None,
    ) -> AblationCurve:
        """How far the logit of the classes that the model gives falls without the top neurons of each text.

        Args:
            label: of this class only.
            counts: how many neurons are ablated; None for 1, 2, 5, 10, ... up to all.
            draws: random orders of the neurons, of which the curve to compare with is the mean.
            bootstrap: of the intervals; None for that of reports by default.
        """
        from assay.results.statistics.ablation_curve import ablation_curve
        from assay.results.statistics.estimates import Bootstrap

        given = (
            self._given
            if label is None
            else self._given & (np.arange(len(self._given.T)) == self._class(label))
        )
        few = [one.of(np.flatnonzero(row)) for one, row in zip(self.scores, given, strict=True) if row.any()]
        if not few:
            raise InputError(_NOBODY.format("any label" if label is None else repr(label)))
        chosen_counts = counts_of(few[0].conductance.shape[1], counts)
        falls = list(
            ablation(self.classifier.engine, few, self.baseline, self.explainer.layer, chosen_counts, draws)
        )
        groups = clusters([one.request.example for one in self.scores])
        return ablation_curve(falls, chosen_counts, groups, bootstrap or Bootstrap())

    def ablation(
        self, label: str | None = None, counts: Sequence[int] | None = None, draws: int = 10
    ) -> pd.DataFrame:
        """`curve` as a table: one row per count, with intervals (BCa over texts, unknown below ten texts)."""
        import pandas as pd

        return pd.DataFrame(self.curve(label, counts, draws).rows())

    def figures(self, draws: int = 10) -> list[Drawing]:
        """The top neurons of every class that the model gives, and the ablation curve."""
        from assay.results.figures.neurons import ablation_figure, neurons_figure

        curve = {self.classifier.name: self.curve(draws=draws)}
        return [
            neurons_figure({label: self.of(label) for label in self.given_labels()}, self.layer),
            ablation_figure(curve, self.layer),
        ]

    def save(self, folder: str | Path, draws: int = 10) -> list[Path]:
        """Write the figures as SVG and PNG, and the ablation curve as CSV; returns their paths."""
        from assay.results.inert import to_csv

        files = {"ablation.csv": to_csv(self.ablation(draws=draws))}
        for drawing in self.figures(draws):
            files |= {f"{drawing.name}.svg": drawing.svg, f"{drawing.name}.png": drawing.png}
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return [Path(folder) / name for name in files]

    def given_labels(self) -> list[str]:
        """The labels that the model gives to any of the texts."""
        return [label for at, label in enumerate(self.classifier.labels) if self._given[:, at].any()]

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        neurons = self.scores[0].conductance.shape[1]
        return f"Conductance of {neurons} neurons of layer {self.layer!r} on {len(self)} texts"

    @property
    def _given(self) -> Any:
        """(N, K) the classes that the model gives."""
        return predicted(self.probabilities, multi_label=self.classifier.model.multi_label)

    def _class(self, label: str) -> int:
        if label not in self.classifier.labels:
            raise InputError(f"there is no label {label!r}; {did_you_mean(label, self.classifier.labels)}")
        return self.classifier.labels.index(label)

    def _texts(self, label: str, text: int | None) -> list[NeuronScores]:
        given = self._given[:, self._class(label)]
        if text is not None:
            if not -len(self) <= text < len(self):
                raise InputError(f"there is no text {text}; {len(self)} were explained, 0 to {len(self) - 1}")
            return [self.scores[text]]
        if not given.any():
            raise InputError(_NOBODY.format(repr(label)))
        return [one for one, has in zip(self.scores, given, strict=True) if has]


_NOBODY = (
    "the model gives {} to none of the texts; give texts that have it, or ask for neurons of single texts"
)


@checked
def neurons(
    classifier: Classifier,
    texts: object,
    layer: str | None = None,
    *,
    k: int = 10,
    baseline: object = None,
    steps: int = 50,
    seed: int = 0,
    task: Task | None = None,
) -> Neurons:
    """Which neurons of a hidden layer carry each class, and which words drive them.

    Args:
        classifier: from `fit` or `wrap`.
        texts: a text, a pair of texts, or a list of texts, pairs or examples.
        layer: one of the model's hidden layers, such as "pooled" or "layer_3"; None for the highest.
        k: how many neurons are shown.
        baseline: what "absent" means, by name or as an object: mask, pad, zero, unk or mean.
        steps: of the path from baseline to text.
        seed: of the random neurons that ablation compares with.
        task: the texts that the baseline "mean" is made from; by default those of training.

    Returns:
        `Neurons`.

    Raises:
        InputError: a model without hidden layers, an unknown layer, more neurons than the layer has, or a
            baseline that keeps no places.

    Example:
        >>> neurons(classifier, task.test, "pooled").top("positive")  # doctest: +SKIP
    """
    check_classifier(classifier)
    explainer = NeuronConductance(layer, steps)
    hidden_layer(classifier.model, layer)
    examples = as_examples(items_of(texts), pairs=classifier.pairs)
    check_answers(classifier, examples)
    base = one_baseline("neurons", classifier, baseline, task)
    encodings = classifier.model.encode([example.texts for example in examples])
    targets = np.arange(len(classifier.labels))
    requests = [Request(*pair, targets, seed) for pair in zip(examples, encodings, strict=True)]
    scores = tuple(explainer.scores(classifier.engine, requests, base))
    check_neurons(k, scores[0].conductance.shape[1])
    return Neurons(classifier, explainer, base, scores, classifier.engine.probabilities(encodings), k)
