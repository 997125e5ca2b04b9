"""How well a model answers the questions behind its concepts, on the texts that were explained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import Heads
from assay.metrics.concept_quality import AnswerQuality, answer_quality, frequencies
from assay.models.concept_layer import answers
from assay.models.protocol import ConceptModel, Model
from assay.tasks.arrays import Floats
from assay.tasks.example import Example, Task


def probabilities_of(explanations: Sequence[ConceptExplanation], names: Sequence[str]) -> Floats:
    """(N, C) what the model gives to each concept, from the parts of explanations through heads."""
    found = np.zeros((len(explanations), len(names)))
    place = {name: at for at, name in enumerate(names)}
    for row, explanation in enumerate(explanations):
        for part in explanation.parts:
            found[row, place[part.name]] = part.probability
    return found


def question_quality(
    model: Model, task: Task, examples: Sequence[Example], probabilities: Floats
) -> dict[str, tuple[AnswerQuality, bool]]:
    """By question how well it is answered, and whether its head learned anything.

    Args:
        model: that answered.
        task: with its training texts and their answers.
        examples: N of its texts.
        probabilities: (N, C) of all answers.
    """
    heads = Heads.of(model)
    assert isinstance(model, ConceptModel)
    questions = model.questions
    gold, train = answers(examples, task, questions), answers(task.train, task, questions)
    found = {}
    for number, question in enumerate(questions):
        often = frequencies(train[:, number], len(question.labels))
        of_question = probabilities[:, heads.question == number]
        found[question.name] = (
            answer_quality(of_question, gold[:, number], often),
            bool(heads.learned[number]),
        )
    return found
