"""What the coded fields of a case tell of its label, without the narrative and together with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.tasks.arrays import Bools, Floats
from assay.tasks.example import Example

CODED, BOTH = "coded fields", "narrative and coded fields"
# No log-odds is larger, so that a probability of 0 or 1 is a number, too.
_SUREST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Texts of one split.

    Attributes:
        answers: (n, a) whether the text has the answer; of a question whose answer is not known it has none.
        holds: (n,) whether the label holds.
    """

    answers: Bools
    holds: Bools

    @property
    def is_varied(self) -> bool:
        """Whether the label holds in some texts and does not in others."""
        return bool(self.holds.any()) and not self.holds.all()


def coded_cases(examples: Sequence[Example], answers: Sequence[int], label: int) -> Cases:
    """The coded answers of texts.

    Args:
        examples: n texts.
        answers: how many answers each auxiliary question has; a is their sum.
        label: the number of the label.

    Example:
        >>> example = Example("1", ("He fell.",), (1,), auxiliary=(0, None))
        >>> coded_cases([example], [2, 3], 1).answers.astype(int).tolist()
        [[1, 0, 0, 0, 0]]
    """
    starts = np.cumsum([0, *answers])
    coded = np.zeros((len(examples), int(starts[-1])), dtype=np.bool_)
    for row, example in zip(coded, examples, strict=True):
        for start, answer in zip(starts, example.auxiliary, strict=False):
            if answer is not None:
                row[start + answer] = True
    return Cases(coded, np.array([label in example.labels for example in examples], dtype=np.bool_))


def coded_probabilities(train: Cases, cases: Cases) -> Floats:
    """What a logistic regression on coded answers, fitted on the training texts, gives to the label: (n,)."""
    return _fitted(train.answers.astype(np.float64), train.holds, cases.answers.astype(np.float64))


def joined_probabilities(
    train: Cases, dev: Cases, dev_narrative: Floats, cases: Cases, narrative: Floats
) -> Floats:
    """What narrative and coded fields together give to the label: (n,).

    A logistic regression on two numbers, the log-odds of the narrative's model and those of the coded
    fields. It is fitted on dev texts: on its own training texts a model is surer than on others.

    Args:
        train: what the coded fields are fitted on.
        dev: m texts on which the two are joined.
        dev_narrative: (m,) what the narrative's model gives to the label.
        cases: n texts.
        narrative: (n,) what the narrative's model gives to the label.
    """

    def log_odds(of_narrative: Floats, of: Cases) -> Floats:
        both = np.stack([of_narrative, coded_probabilities(train, of)], axis=1).clip(_SUREST, 1 - _SUREST)
        return np.log(both / (1 - both))

    return _fitted(log_odds(dev_narrative, dev), dev.holds, log_odds(narrative, cases))


def _fitted(train: Floats, holds: Bools, rows: Floats) -> Floats:
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(max_iter=1000).fit(train, holds)
    return regression.predict_proba(rows)[:, 1]
