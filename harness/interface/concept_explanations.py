"""Decisions explained by the concepts that a classifier answers questions about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from assay.explainers.baselines import Baseline
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import Heads, HeadWords
from assay.harness.interface.arguments import checked
from assay.harness.interface.baselines import one_baseline
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.explanations import Explanations
from assay.harness.interface.tasks import as_examples, items_of
from assay.harness.validation.concept_explanations import explain_by_concepts as explained
from assay.harness.validation.concept_judging import Explained, judge
from assay.harness.validation.concept_pages import About, sentences, write_pages
from assay.harness.validation.concept_questions import probabilities_of, question_quality
from assay.tasks.arrays import Floats
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.grouping import clusters

if TYPE_CHECKING:
    import pandas as pd

    from assay.results.statistics.estimates import Bootstrap
    from assay.results.statistics.judges import Judged


@dataclass(frozen=True, slots=True, eq=False)
class ConceptExplanations:
    """Explanations of some texts by concepts; made by `explain_by_concepts`.

    Attributes:
        classifier: the explained classifier.
        examples: the texts.
        records: for every text one explanation per label.
        probabilities: (N, K) the model's output.
        baseline: what "absent" means.
    """

    classifier: Classifier
    examples: tuple[Example, ...]
    records: tuple[tuple[ConceptExplanation, ...], ...]
    probabilities: Floats
    baseline: Baseline

    def of(self, label: str | None = None) -> list[ConceptExplanation]:
        """One explanation per text: of a label, or of the label that the model gives.

        Raises:
            InputError: there is no such label.
        """
        if label is None:
            given = self.probabilities.argmax(axis=1).tolist()
            return [of_text[at] for of_text, at in zip(self.records, given, strict=True)]
        labels = self.classifier.labels
        if label not in labels:
            raise InputError(f"there is no label {label!r}; {did_you_mean(label, labels)}")
        return [of_text[labels.index(label)] for of_text in self.records]

    def to_frame(self, label: str | None = None) -> pd.DataFrame:
        """One row per text and concept: text, label, concept, score, probability, usual (the probability that
        the score of a bottleneck counts from), learned and words."""
        import pandas as pd

        rows = [
            {
                "text": example.id,
                "label": self.classifier.labels[one.target],
                "concept": part.name,
                "score": part.score,
                "probability": part.probability,
                "usual": part.usual,
                "learned": part.learned,
                "words": " ".join(example.texts[s.segment][s.start : s.end] for s in part.spans),
            }
            for example, one in zip(self.examples, self.of(label), strict=True)
            for part in one.parts
        ]
        return pd.DataFrame(rows)

    def judged(self, words: Explanations | None = None, *, budget: int = 3, seed: int = 0) -> Judged:
        """What judges find, text by text (docs/concepts.md).

        Args:
            words: explanations of all labels of the same texts by words, to compare with.
            budget: how many concepts, or words, of a text the linear reader sees.
            seed: of all draws.

        Raises:
            InputError: words of other texts or in another order, of some labels only, or of another model.
        """
        self._check(words)
        by_words = {} if words is None else {name: list(one.records) for name, one in words.by_name.items()}
        model = self.classifier.model
        encodings = model.encode([example.texts for example in self.examples])
        texts = Explained(
            self.examples, encodings, self.probabilities, model.multi_label, self.records, by_words
        )
        return judge(texts, self.classifier.engine, self.baseline, budget=budget, seed=seed)

    def _check(self, words: Explanations | None) -> None:
        if words is None:
            return
        explained = [example.texts for example in words.loaded.trial.task.test]
        own = [example.texts for example in self.examples]
        if explained != own:
            places = (at for at, (one, other) in enumerate(zip(own, explained, strict=False)) if one != other)
            at = next(places, min(len(own), len(explained)))
            raise InputError(
                f"judge compares explanations of the same texts in the same order, but concepts explain "
                f"{counted(len(own), 'text')} and words {len(explained)}, which differ from number {at + 1} "
                "on; explain the same texts by words"
            )
        if (
            words.loaded.model is not self.classifier.model
            and words.loaded.weights != self.classifier.weights
        ):
            raise InputError(
                "judge compares explanations of one model, but the words are those of another; explain this "
                "model by words"
            )

    def judge(
        self,
        words: Explanations | None = None,
        *,
        budget: int = 3,
        seed: int = 0,
        bootstrap: Bootstrap | None = None,
    ) -> pd.DataFrame:
        """`judged` as a table: means with intervals, and what stands first against its controls."""
        import pandas as pd

        from assay.results.statistics.estimates import Bootstrap
        from assay.results.statistics.judges import judged_rows

        found = {"0": self.judged(words, budget=budget, seed=seed)}
        ids = [example.id for example in self.examples]
        rows = judged_rows(found, ids, clusters(self.examples), bootstrap or Bootstrap())
        return pd.DataFrame([row.flat() for row in rows])

    def questions(self, task: Task | None = None) -> pd.DataFrame:
        """How well each question is answered on these texts: one row per question, with accuracy, that of the
        most frequent answer, Brier score, calibration error, and whether its head learned anything.

        Args:
            task: with the answers; by default that of training.

        Raises:
            InputError: the task is not known.
        """
        import pandas as pd

        source, model = self._source(task), self.classifier.model
        answered = probabilities_of(self.of(), Heads.of(model).names)
        found = question_quality(model, source, self.examples, answered)
        return pd.DataFrame(
            [
                {"question": question, **asdict(quality), "learned": learned}
                for question, (quality, learned) in found.items()
            ]
        )

    def sentences(self, label: str | None = None, *, noun: str = "report") -> list[str]:
        """What the model decides on each text and why, in a sentence each (docs/accidents.md).

        Args:
            label: whose explanation is told; None for the label that the model gives.
            noun: what a text is called, such as "claim".

        Raises:
            InputError: there is no such label.
        """
        return sentences(self.classifier.model, self.examples, self.of(label), self.probabilities, noun=noun)

    def write_pages(
        self,
        folder: str | Path,
        label: str | None = None,
        *,
        title: str | None = None,
        noun: str = "report",
        dates: Mapping[str, date] | None = None,
        task: Task | None = None,
    ) -> Path:
        """Write a page per text and a portfolio of all of them (docs/accidents.md).

        Args:
            folder: is made if it is not there.
            label: that the pages are about; None for the last one.
            title: of the portfolio; by default the names of task and model.
            noun: what a text is called, such as "claim".
            dates: of what the texts tell, by their ids, where texts have none (`date=` of `texts`); for a
                table by month.
            task: of the texts; by default that of training.

        Returns:
            The portfolio's page, index.html.

        Raises:
            InputError: no such label or task, or dates of other texts.
        """
        source, labels = self._source(task), self.classifier.labels
        explained = self.of(labels[-1] if label is None else label)
        about = About(
            title or f"{source.name}, {self.classifier.name}",
            None if label is None else labels.index(label),
            noun,
        )
        return write_pages(
            Path(folder),
            about,
            self.classifier.engine,
            source,
            self.examples,
            explained,
            self.probabilities,
            dates=dates,
        )

    def _source(self, task: Task | None) -> Task:
        source = task or self.classifier.task
        if source is None:
            raise InputError("questions have answers in a task, and this model has none; give task=<a task>")
        return source

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[ConceptExplanation]:
        return iter(self.of())

    def __getitem__(self, place: int) -> ConceptExplanation:
        return self.of()[place]

    def __repr__(self) -> str:
        if len(self) == 1:
            return self.sentences()[0]
        method = self.records[0][0].method.replace("_", " ") if self.records else "no"
        return f"Decisions on {len(self)} texts explained by concepts ({method})"


@checked
def explain_by_concepts(
    classifier: Classifier,
    texts: object,
    *,
    baseline: object = None,
    share: float = HeadWords().share,
    seed: int = 0,
    task: Task | None = None,
) -> ConceptExplanations:
    """Explain decisions by concepts: exactly, where the decision goes through them; otherwise by the words
    that carry both.

    Args:
        classifier: that answers auxiliary questions, such as concept_cnn.
        texts: a text, a pair of texts, or a list of texts, pairs or examples.
        baseline: what "absent" means, by name or as an object; by default "mask", or "delete".
        share: the price of a word, as a share of the largest score, when the words of a concept are chosen.
        seed: of explainers that draw.
        task: the texts that baselines such as "mean" are made from; by default those of training.

    Returns:
        `ConceptExplanations`.

    Raises:
        InputError: a classifier that answers no questions, or a share out of range.

    Example:
        >>> explain_by_concepts(model, "He fell off a ladder.").sentences()[0]  # doctest: +SKIP
    """
    check_classifier(classifier)
    Heads.of(classifier.model)
    examples = as_examples(items_of(texts), pairs=classifier.pairs)
    check_answers(classifier, examples)
    base = one_baseline("explain_by_concepts", classifier, baseline, task)
    records = explained(classifier.engine, examples, base, HeadWords(share=share), seed)
    return ConceptExplanations(
        classifier,
        examples,
        tuple(map(tuple, records)),
        classifier.predict_proba(examples),
        base,
    )
