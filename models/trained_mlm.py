"""A masked language model trained on a task's own texts, over the token ids of a classifier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.encoding import Encoding
from assay.models.protocol import Batch, Model
from assay.models.seeding import seeded
from assay.models.training import Training
from assay.tasks.errors import InputError, check_at_least, check_positive

TOKENS_FILE = "tokens.json"
# The rows of the embedding before those of the known tokens.
UNSEEN, MASKED = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedMLM:
    """A bidirectional LSTM that predicts masked tokens of the task's training texts.

    dimensions: of the embeddings, which are also the weights of the last layer. units, layers: of the LSTM,
    in each direction. dropout: on embeddings and states, in training only. training.mask_rate: in training
    half of the texts have such a share of their tokens masked, the others any share, as coalitions have.
    minutes: of the processor (`training_clock`), after which training ends, whatever training.epochs and
    training.patience say.
    seed: of training, and of which training texts measure it where the task has no development texts.
    """

    version: ClassVar[int] = 1
    dimensions: int = 128
    units: int = 192
    layers: int = 2
    dropout: float = 0.3
    minutes: float = 20.0
    seed: int = 0
    training: Training = field(
        default_factory=lambda: Training(epochs=100, batch_size=32, learning_rate=3e-3, mask_rate=0.15)
    )

    def __post_init__(self) -> None:
        for name in ("dimensions", "units", "layers"):
            check_at_least(f"baseline.mlm.trained.{name}", getattr(self, name), 1)
        check_positive("baseline.mlm.trained.minutes", self.minutes)
        if not 0 <= self.dropout < 1:
            raise InputError(f"baseline.mlm.trained.dropout is {self.dropout}; expected 0 <= dropout < 1")
        for name in ("epochs", "mask_rate"):
            check_positive(f"baseline.mlm.trained.training.{name}", getattr(self.training, name))

    def untrained(self, model: Model, texts: Sequence[Encoding]) -> WordMLM:
        """The masked language model before training, for the texts as a classifier encodes them.

        Raises InputError on a classifier without a mask token, and on texts without a token to learn.
        """
        if model.mask_id is None:
            raise InputError(
                "a masked language model needs the classifier's mask token, and this one has none; choose "
                "another baseline than mlm"
            )
        special = {model.pad_id, model.mask_id, getattr(model, "unk_id", None)}
        ids = {token for text in texts for token in text.ids[text.content].tolist()}
        extra = {token for text in texts for token in text.ids[~text.content].tolist()}
        known = sorted({*ids, *extra, model.pad_id} - {model.mask_id})
        tokens = Tokens(
            known=tuple(known),
            ids=tuple(sorted(ids - extra - special)),
            mask_id=model.mask_id,
            pad_id=model.pad_id,
            unk_id=getattr(model, "unk_id", None),
        )
        if len(tokens.ids) < 2:
            raise InputError(
                "the training texts have fewer than two different tokens, of which a masked language model "
                "could learn nothing; give the task more of them, or choose another baseline than mlm"
            )
        with seeded(self.seed):
            return WordMLM(self, tokens)

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> WordMLM:
        """The model of a saved folder, its weights still to be filled in."""
        about = json.loads((folder / TOKENS_FILE).read_text(encoding="utf-8"))
        tokens = Tokens(**{**about, "known": tuple(about["known"]), "ids": tuple(about["ids"])})
        with seeded(0):
            return WordMLM(self, tokens)


@dataclass(frozen=True, slots=True)
class Tokens:
    """known: the token ids that have an embedding, ascending. ids: those that may be predicted. unk_id: what
    stands for others, None for nothing."""

    known: tuple[int, ...]
    ids: tuple[int, ...]
    mask_id: int
    pad_id: int
    unk_id: int | None


class WordMLM:
    """A trained masked language model (assay.models.masked_lm.MaskedLM)."""

    # A folder of models tells the labels of each.
    labels: tuple[str, ...] = ()
    multi_label = False

    def __init__(self, spec: TrainedMLM, tokens: Tokens) -> None:
        self.spec = spec
        self.tokens = tokens
        self.ids: NDArray[np.int32] = np.array(tokens.ids, dtype=np.int32)
        self.mask_id, self.pad_id = tokens.mask_id, tokens.pad_id
        rows = {token: row for row, token in enumerate(tokens.known, start=MASKED + 1)}
        # The embedding's row of each id; the last stands for all that are not known.
        unknown = UNSEEN if tokens.unk_id is None else rows.get(tokens.unk_id, UNSEEN)
        table = torch.full((max(*tokens.known, tokens.mask_id) + 2,), unknown)
        for token, row in rows.items():
            table[token] = row
        table[tokens.mask_id] = MASKED
        self._table = table
        self.network = MLMNetwork(
            spec, 2 + len(rows), torch.tensor([rows[token] for token in tokens.ids])
        ).eval()

    def rows_of(self, ids: Tensor) -> Tensor:
        """The embedding's row of every id."""
        table = self._table.to(ids.device)
        return table[ids.clamp(max=len(table) - 1)]

    def log_probabilities(self, batch: Batch, masked: Tensor) -> Tensor:
        """(M, C) over `ids`, which have all of the probability."""
        scores = self.network(self.rows_of(batch.ids), batch.attention, masked)
        return torch.log_softmax(scores.double(), dim=-1)

    def write_files(self, folder: Path) -> None:
        """Write what `TrainedMLM.restore` reads."""
        about = {name: getattr(self.tokens, name) for name in Tokens.__slots__}
        (folder / TOKENS_FILE).write_text(json.dumps(about), encoding="utf-8")


class MLMNetwork(nn.Module):
    """Embedding, a bidirectional LSTM, and the embedding again."""

    choices: Tensor

    def __init__(self, spec: TrainedMLM, rows: int, choices: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding(rows, spec.dimensions, padding_idx=UNSEEN)
        nn.init.normal_(self.embedding.weight, std=spec.dimensions**-0.5)
        self.dropout = nn.Dropout(spec.dropout)
        self.lstm = nn.LSTM(
            spec.dimensions,
            spec.units,
            spec.layers,
            batch_first=True,
            bidirectional=True,
            dropout=spec.dropout if spec.layers > 1 else 0.0,
        )
        self.dense = nn.Linear(2 * spec.units, spec.dimensions)
        self.bias = nn.Parameter(torch.zeros(len(choices)))
        # The rows of the tokens to choose from.
        self.register_buffer("choices", choices)

    def forward(self, rows: Tensor, attention: Tensor, masked: Tensor) -> Tensor:
        """(M, C) scores of the choices at the masked places of rows (B, T) of the embedding."""
        return self.scores(self.hidden(rows, attention, masked))

    def hidden(self, rows: Tensor, attention: Tensor, masked: Tensor) -> Tensor:
        """(M, D) what is expected at the masked places, as a vector like those of the embedding."""
        embedded = self.dropout(self.embedding(rows))
        # Padding must not be read: the backward direction begins with the last token of each row.
        packed = nn.utils.rnn.pack_padded_sequence(
            embedded, attention.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=rows.shape[1]
        )
        return torch.relu(self.dense(self.dropout(states[masked])))

    def scores(self, hidden: Tensor) -> Tensor:
        """(M, C) of the choices, of vectors (M, D)."""
        return hidden @ self.embedding.weight[self.choices].T + self.bias
