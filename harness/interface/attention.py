"""What a text's words read of each other in every layer and head of a transformer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.explainers.propagation.word_attention import Floats, WordAttention, word_attention
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier, check_answers, check_classifier
from assay.harness.interface.tasks import as_examples, is_one
from assay.tasks.counted import counted
from assay.tasks.errors import InputError
from assay.tasks.example import Example

if TYPE_CHECKING:
    import pandas as pd

    from assay.results.figures.style import Drawing


@dataclass(frozen=True, slots=True, eq=False)
class TextAttention:
    """The attention of one text; made by `attention`.

    Attributes:
        classifier: the model that reads.
        example: the text.
        found: its words and their attention.
    """

    classifier: Classifier
    example: Example
    found: WordAttention

    @property
    def words(self) -> tuple[str, ...]:
        """The W words as written; special tokens are words of their own."""
        return self.found.words

    @property
    def weights(self) -> Floats:
        """(L, H, W, W) by layer, head, word that reads, and word that is read; rows sum to 1."""
        return self.found.weights

    @property
    def rollout(self) -> Floats:
        """(L, W) what the first token has read of every word up to each layer; rows sum to 1."""
        return self.found.rollout

    def head(self, layer: int, head: int) -> pd.DataFrame:
        """How one head allocates its attention: a row per word that reads, a column per word that is read.

        Args:
            layer: from 1, the lowest.
            head: from 1.

        Raises:
            InputError: a layer or head that the model does not have.
        """
        import pandas as pd

        return pd.DataFrame(self._head(layer, head), index=list(self.words), columns=list(self.words))

    def head_figure(self, layer: int, head: int) -> Drawing:
        """One head as words x words; layer and head from 1."""
        from assay.results.figures.attention import head_figure

        return head_figure(self.words, self._head(layer, head), layer, head)

    def heads_figure(self) -> Drawing:
        """All heads of all layers, small."""
        from assay.results.figures.attention import heads_figure

        return heads_figure(self.words, self.weights)

    def rollout_figure(self) -> Drawing:
        """Rollout as layers x words."""
        from assay.results.figures.attention import rollout_figure

        return rollout_figure(self.words, self.rollout)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the figures of all heads and of rollout as SVG and PNG, with that of the head whose first
        token is furthest from even attention in the last layer; returns their paths."""
        last = len(self.weights)
        away = np.abs(self.weights[-1, :, 0] - 1 / len(self.words)).sum(axis=1)
        drawings = [
            self.heads_figure(),
            self.rollout_figure(),
            self.head_figure(last, int(away.argmax()) + 1),
        ]
        Path(folder).mkdir(parents=True, exist_ok=True)
        paths = []
        for drawing in drawings:
            for kind, content in (("svg", drawing.svg), ("png", drawing.png)):
                paths.append(Path(folder) / f"{drawing.name}.{kind}")
                paths[-1].write_bytes(content)
        return paths

    def __repr__(self) -> str:
        layers, heads, words, _ = self.weights.shape
        each = f"{counted(layers, 'layer')} with {counted(heads, 'head')} each"
        return f"Attention of {each} among {counted(words, 'word')}"

    def _head(self, layer: int, head: int) -> Floats:
        layers, heads = self.weights.shape[:2]
        if not (1 <= layer <= layers and 1 <= head <= heads):
            raise InputError(
                f"there is no head {head} of layer {layer}; the model has layers 1 to {layers}, each with "
                f"heads 1 to {heads}"
            )
        return self.weights[layer - 1, head - 1]


@checked
def attention(classifier: Classifier, text: object) -> TextAttention:
    """What the words of a text read of each other, in every layer and head.

    Args:
        classifier: from `fit` or `wrap`, with an open transformer (docs/models.md) that reads one token.
        text: one text, pair of texts, or example.

    Returns:
        `TextAttention`.

    Raises:
        InputError: a model that shows no attention, or several texts.

    Example:
        >>> attention(classifier, "a fine film").rollout_figure()  # doctest: +SKIP
    """
    check_classifier(classifier)
    if not is_one(text):
        raise InputError("attention is shown of one text at a time; give a text, a pair or an example")
    (example,) = as_examples(text, pairs=classifier.pairs)
    check_answers(classifier, [example])
    return TextAttention(classifier, example, word_attention(classifier.engine, example))
