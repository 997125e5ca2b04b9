"""Which layers the study's scripts count."""

from __future__ import annotations

from collections.abc import Sequence

from assay.tasks.errors import InputError

# What models here call the layer that reads the words.
EMBEDDING = "embedding"


def counted_layers(names: Sequence[str], metric: str, *, embedding: bool) -> list[str]:
    """The layers that count, from the bottom up; raises InputError where there is no embedding to leave out.

    embedding: whether the output of the embedding is one of them. The scripts count it for the CNN and the
    LSTM, but not for BERT, of which they count the encoder's layers and the classifier.
    """
    if embedding:
        return list(names)
    if EMBEDDING not in names:
        raise InputError(
            f"metric.{metric}.embedding=false leaves out the layer {EMBEDDING!r}, which the model does not "
            f"have; available: {', '.join(names)}"
        )
    return [name for name in names if name != EMBEDDING]
