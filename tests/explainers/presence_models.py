"""Models linear in which words a text has, so that explanations have closed forms."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.concept_cnn import ConceptCnn
from assay.models.word_model import WordModel
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.example import Example, Task

WORDS = ("he", "fell", "slipped", "roof", "floor", "back", "hand", "hurt", "night", "late")
QUESTIONS = (Auxiliary("event", ("fall", "slip")), Auxiliary("part", ("back", "hand", "none")))
TEXTS = (
    ("he fell roof back hurt night", 1, (0, 0)),
    ("he slipped floor hand hurt", 0, (1, 1)),
    ("late he slipped , roof", 0, (1, 2)),
    ("night fell he", 1, (0, 2)),
)


def presence_task() -> Task:
    """Four short texts, the same in every split."""
    examples = tuple(
        Example(str(at), (text,), (label,), auxiliary=answers)
        for at, (text, label, answers) in enumerate(TEXTS)
    )
    train, dev, test = (
        tuple(Example(f"{name}-{one.id}", one.texts, one.labels, auxiliary=one.auxiliary) for one in examples)
        for name in ("train", "dev", "test")
    )
    return Task("presence", ("short", "long"), train, dev, test, auxiliary=QUESTIONS)


def presence_model(
    heads: NDArray[np.float64], decision: NDArray[np.float64], *, through: bool = False
) -> WordModel:
    """A model each of whose filters tells whether one word is there.

    Args:
        heads: (C, W) weights of the five answers, by WORDS.
        decision: (K, W) of the labels or, `through` the concepts, (K, C).
        through: whether the decision reads the concepts.
    """
    spec = ConceptCnn(
        dimensions=len(WORDS) + 5,
        widths=[1],
        channels=len(WORDS) + 5,
        dropout=0.0,
        min_count=1,
        decision="concepts" if through else "text",
    )
    model = spec.untrained(presence_task(), 0)
    words = model.vocabulary.words
    place = [words.index(word) for word in WORDS]
    network: torch.nn.Module = model.network
    state = network.state_dict()
    for name, value in state.items():
        value.zero_()
        if name == "embedding.weight":
            value[4:] = torch.eye(len(words))[4:, : value.shape[1]] if len(words) <= value.shape[1] else 0
        elif name.endswith("convolutions.1.weight"):
            value[:, :, 0] = torch.eye(value.shape[0])
    state["dense.heads.weight"][:, place] = torch.from_numpy(heads).float()
    if through:
        state["dense.decision.weight"][:] = torch.from_numpy(decision).float()
    else:
        state["dense.decision.weight"][:, place] = torch.from_numpy(decision).float()
    state["dense.temperatures"].fill_(1.0)
    state["dense.learned"].fill_(True)
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
    return model
