"""The words by which a classifier of pooled word vectors decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.explainers.pooled.contributions import Contributions, contributions
from assay.explainers.pooled.pooled_words import PooledExplainer
from assay.explainers.pooled.routing import Floats
from assay.explainers.protocol import Request, require_compatible
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.settings import chosen
from assay.harness.interface.tasks import as_examples, is_one
from assay.metrics.cell_data import predicted
from assay.results.figures.pooled_words import Dimension, NamingWord, Panel, pooled_words
from assay.results.figures.style import Drawing
from assay.results.inert import inert
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

# So many words name a dimension, if they reach it with at least this share of what the first one does.
NAMING_WORDS, NAMING_SHARE = 3, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class ImportantWords:
    """The most important numbers (dimensions) of a pooled vector for a class, and the words that reach them.

    In a notebook it is shown as a figure, in a terminal as a line.

    Attributes:
        label: the class.
        texts: the mean over how many texts this is.
        others: from which the mean over so many other texts is subtracted; 0 where none is.
        method: the explainer with its baseline.
        dimensions: the most important first, by size.
        words: the words that reach them, each with its sum over these dimensions, the largest first.
    """

    label: str
    texts: int
    others: int
    method: str
    dimensions: tuple[Dimension, ...]
    words: tuple[NamingWord, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row per dimension and word that names it.

        Returns:
            dimension: its place in the pooled vector. value: what it adds to the logit. word, part: a word,
            and its part of the value. fewer: of a class whose other texts are subtracted, whether the word
            has that part because it reaches the dimension less often there than in the others.
        """
        import pandas as pd

        rows = [(one.number, one.value, *word) for one in self.dimensions for word in one.words]
        return pd.DataFrame(rows, columns=["dimension", "value", "word", "part", "fewer"])

    @property
    def panel(self) -> Panel:
        """The bars of a figure, which `pooled_words` draws beside others."""
        of = "one text" if self.texts == 1 else f"mean over {counted(self.texts, 'text')}"
        if self.others:
            of = f"{counted(self.texts, 'text')} against {self.others}"
        more = "more " if self.others else ""
        return Panel(f"{self.label} ({of})", f"{more}added to the logit of {self.label}", self.dimensions)

    def figure(self) -> Drawing:
        """A bar per dimension; `.svg` and `.png` are the bytes of its files."""
        return pooled_words([self.panel])

    def __repr__(self) -> str:
        words = ", ".join(f"{inert(word.name)} {word.part:+.2g}" for word in self.words)
        return f"Important words: {words}"

    def _repr_svg_(self) -> str:
        return self.figure().svg.decode()


@checked
def important_words(
    classifier: Classifier,
    texts: object,
    label: str | None = None,
    *,
    explainer: object = "pooled_ig",
    baseline: object = "mask",
    dimensions: int = 10,
    contrast: bool = True,
) -> ImportantWords:
    """Name the most important dimensions of a pooled vector by the words that reach them.

    Args:
        classifier: from `fit`, of a model that pools word vectors: maxpool, meanpool, cnn, vmask_cnn.
        texts: a text, a pair of texts or an example; or a list of those, of which the ones that the model
            assigns to the class are averaged.
        label: the class; of a single text by default its most probable one.
        explainer: pooled_ig or pooled_shapley, by name or as an object.
        baseline: what "absent" means, by name or as an object.
        dimensions: how many, at most.
        contrast: of a list, subtract the mean over the texts that the model does not assign to the class, if
            there are any. What all texts have, such as the words that win where nothing special stands, then
            cancels out.

    Returns:
        The dimensions with their words; its `repr` is the line "Important words: ...", `.figure()` the plot.

    Raises:
        InputError: a model that does not pool, another explainer, a label that there is not or that the
            model assigns to none of the texts.

    Example:
        >>> important_words(classifier, "a moving film")  # doctest: +SKIP
        Important words: moving +3.1, film +0.22, a -0.04
    """
    check_classifier(classifier)
    check_at_least("dimensions", dimensions, 1)
    ((name, method),) = chosen("explainer", [explainer]).items()
    ((baseline_name, absent),) = chosen("baseline", [baseline]).items()
    if not isinstance(method.built, PooledExplainer):
        raise InputError(
            f"explainer {name!r} does not explain pooled vectors; choose pooled_ig or pooled_shapley"
        )
    engine = classifier.engine
    require_compatible(name, method.built, engine, absent.built)
    of_class, others = _requests(classifier, texts, label)
    others = others if contrast else []
    fitted = absent.built.fitted(engine, classifier.task.train if classifier.task else ())
    found = contributions(method.built, engine, of_class, fitted)
    if others:
        found = found.minus(contributions(method.built, engine, others, fitted))
    largest = np.argsort(-np.abs(found.numbers), kind="stable")[:dimensions].tolist()
    return ImportantWords(
        classifier.labels[int(of_class[0].targets[0])],
        len(of_class),
        len(others),
        f"{name} ({baseline_name})",
        tuple(_dimension(found, number) for number in largest),
        _strongest(found, largest)[:dimensions],
    )


def _requests(
    classifier: Classifier, texts: object, label: str | None
) -> tuple[list[Request], list[Request]]:
    """The texts of the class, or the one text, and the other texts; the class is the target of all."""
    examples, one = as_examples(texts, pairs=classifier.pairs), is_one(texts)
    labels = classifier.labels
    if label is not None and label not in labels:
        raise InputError(f"there is no label {label!r}; {did_you_mean(label, list(labels))}")
    if label is None and not one:
        raise InputError(f"which class of the texts is meant? Give label=, one of {', '.join(labels)}")
    check_answers(classifier, examples)
    encodings = classifier.model.encode([example.texts for example in examples])
    probabilities = classifier.engine.probabilities(encodings)
    target = int(probabilities[0].argmax()) if label is None else labels.index(label)
    wanted = one | predicted(probabilities, multi_label=classifier.model.multi_label)[:, target]
    if not wanted.any():
        raise InputError(f"the model assigns none of the {len(examples)} texts to {label!r}; give others")
    requests = [
        Request(example, encoding, np.array([target]))
        for example, encoding in zip(examples, encodings, strict=True)
    ]
    parts = np.flatnonzero(wanted).tolist(), np.flatnonzero(~wanted).tolist()
    of_class, others = ([requests[at] for at in places] for places in parts)
    return of_class, others


def _dimension(found: Contributions, number: int) -> Dimension:
    """A dimension, named by words that move it its way."""
    value = float(found.numbers[number])
    words = [word for word in _strongest(found, [number]) if word.part * value > 0][:NAMING_WORDS]
    return Dimension(
        number, value, tuple(word for word in words if word.part / words[0].part >= NAMING_SHARE)
    )


def _strongest(found: Contributions, numbers: Sequence[int]) -> tuple[NamingWord, ...]:
    """The words that reach any of the dimensions, by the size of their sum over these."""

    def total(part: Floats) -> float:
        return float(part[list(numbers)].sum())

    words = [
        NamingWord(word, total(part), total(part) * total(found.own[word]) < 0)
        for word, part in found.words.items()
    ]
    return tuple(sorted((word for word in words if word.part), key=lambda word: -abs(word.part)))
