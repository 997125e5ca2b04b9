"""How far a task can be done without reading: by a few words, or by which words a text has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.outcome_phrases import sentences


class ShortSentence(NamedTuple):
    """A sentence of few words that several texts have.

    Attributes:
        form: it, in lower case, with 0 for every digit.
        texts: how many have it.
        share: of these with the label.
        p: by an exact binomial test, two-sided, that they have the label as often as all texts.
    """

    form: str
    texts: int
    share: float
    p: float


def short_sentences(
    examples: Sequence[Example], label: int, *, words: int = 3, least: int = 10
) -> list[ShortSentence]:
    """The sentences of at most so many words that at least `least` texts have, the smallest p first.

    What leaves out a part of texts may leave such a rest in the texts of one label alone.

    Args:
        examples: of one label each.
        label: the class that is counted.
        words: of a sentence, at most.
        least: texts that have it.

    Example:
        >>> written = ["He fell. Was."] * 10 + ["He fell."] * 10
        >>> texts = [Example(str(at), (text,), (at // 10,)) for at, text in enumerate(written)]
        >>> [(found.form, found.texts, found.share) for found in short_sentences(texts, 1)]
        [('was.', 10, 0.0), ('he fell.', 20, 0.5)]
    """
    from scipy.stats import binomtest

    having: dict[str, list[bool]] = {}
    for example in examples:
        every = (sentence for text in example.texts for sentence in sentences(text))
        forms = {re.sub(r"\d", "0", one.lower()) for one in every if 0 < len(one.split()) <= words}
        for form in forms:
            having.setdefault(form, []).append(label in example.labels)
    overall = sum(label in example.labels for example in examples) / max(1, len(examples))
    found = [
        ShortSentence(form, len(of), sum(of) / len(of), float(binomtest(sum(of), len(of), overall).pvalue))
        for form, of in having.items()
        if len(of) >= least
    ]
    return sorted(found, key=lambda one: (one.p, one.form))


def word_rule_accuracy(examples: Iterable[Example], words: Iterable[str], label: int) -> float:
    """The share of texts for which "it has one of the words" is right about "its label is `label`".

    Args:
        examples: of one label each; any of two classes.
        words: regular expressions of whole words, in any case.
        label: the class that the words speak for.

    Example:
        >>> texts = [Example("a", ("He was killed.",), (1,)), Example("b", ("He fell.",), (0,))]
        >>> word_rule_accuracy(texts, ["killed"], 1)
        1.0
    """
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)
    right = [any(map(pattern.search, example.texts)) == (example.labels == (label,)) for example in examples]
    return sum(right) / len(right)


def majority_accuracy(task: Task) -> float:
    """The share of test texts of the label that is most frequent among them."""
    counts = Counter(example.labels for example in task.test)
    return max(counts.values()) / len(task.test)


def bag_of_words_accuracy(task: Task, *, phrase: int = 1) -> float:
    """Test accuracy of a logistic regression on which words a text has.

    Words are lower-cased runs of letters and digits that at least two training texts have. The regression is
    scikit-learn's with its defaults.

    Args:
        task: of one label and one text per example.
        phrase: words in a row that also count as one, up to so many.

    Raises:
        InputError: on pairs of texts, or several labels.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if task.pairs or task.multi_label:
        raise InputError(f"task {task.name!r} has pairs or several labels; expected one text and one label")
    words = CountVectorizer(binary=True, min_df=2, ngram_range=(1, phrase), token_pattern=r"[^\W_]+")
    model = make_pipeline(words, LogisticRegression(max_iter=1000))
    model.fit(*_texts_and_labels(task.train))
    return float(model.score(*_texts_and_labels(task.test)))


def _texts_and_labels(examples: Iterable[Example]) -> tuple[list[str], list[int]]:
    texts, labels = zip(*((example.texts[0], example.labels[0]) for example in examples), strict=True)
    return list(texts), list(labels)
