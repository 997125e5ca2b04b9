"""Explanations as a user reads them: one text at a time, or as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from assay.explainers.explanation import Explanation
from assay.harness.storage.store import Store
from assay.harness.trials.cells import Loaded
from assay.harness.trials.plan import Cell
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean, shown
from assay.tasks.example import Example

if TYPE_CHECKING:
    import pandas as pd

# So many words stand in a plain line.
SHOWN_WORDS = 6
# Backgrounds, red, green and blue, on light and on dark paper.
HUES = {
    "for": ("37,99,235", "96,165,250"),
    "against": ("234,88,12", "251,146,60"),
    "size": ("124,58,237", "196,181,253"),
}


@dataclass(frozen=True, slots=True, eq=False)
class TextExplanation:
    """The explanation of one class of one text.

    In a notebook it is shown as coloured text, in a terminal as a line.

    Attributes:
        record: tokens, offsets, scores, cost and all else that the explainer left.
        texts: the text, or the pair of texts.
        label: the name of the explained class.
        probability: the model's output for it, 0 to 1.
        method: the explainer, with its baseline where it has one.
        signed: whether a negative score is evidence against the class; if not, scores have a size only.
    """

    record: Explanation
    texts: tuple[str, ...]
    label: str
    probability: float
    method: str
    signed: bool = True

    @property
    def scores(self) -> NDArray[np.float32]:
        """(T,) one score per token; larger means more evidence for the class."""
        return self.record.scores

    @property
    def tokens(self) -> tuple[str, ...]:
        """(T,) what the model reads, special tokens included."""
        return self.record.tokens

    def words(self) -> list[tuple[str, float]]:
        """Each word as it is written, with the sum of its tokens' scores, in order; no special tokens."""
        return [(self._written(places), float(self.scores[places].sum())) for places in self._word_places()]

    def to_frame(self) -> pd.DataFrame:
        """One row per token; standard_error is NaN where nothing was drawn, bound but in mixed precision."""
        import pandas as pd

        record = self.record
        return pd.DataFrame(
            {
                "token": list(record.tokens),
                "word": record.word_ids,
                "segment": record.segments,
                "start": record.offsets[:, 0],
                "end": record.offsets[:, 1],
                "score": record.scores,
                "standard_error": np.nan if record.standard_error is None else record.standard_error,
                "bound": np.nan if record.bound is None else record.bound,
            }
        )

    def __repr__(self) -> str:
        strongest = sorted(self.words(), key=lambda word: -abs(word[1]))[:SHOWN_WORDS]
        words = ", ".join(f"{word} {self.number(score)}" for word, score in strongest)
        printable = "".join(char if char.isprintable() else " " for char in words)
        return f"{self.method} for {self.label!r} (p = {self.probability:.2f}): {printable}"

    def number(self, score: float) -> str:
        """A score as it is written: with its sign where that means something."""
        return f"{score:+.3g}" if self.signed else f"{score:.3g}"

    def pieces(self, segment: int) -> list[tuple[str, float | None]]:
        """One of the texts cut into its words, each with the sum of its tokens' scores, and what stands
        between them, with None."""
        return self._pieces(segment, self._word_places())

    def _repr_html_(self) -> str:
        """The text with a background per token: blue speaks for the class, orange against it; violet where
        scores have no sign."""
        title = f"{self.method} for {self.label} (p = {self.probability:.2f})"
        body = " <b>/</b> ".join(self._coloured(segment) for segment in range(len(self.texts)))
        return (
            f'<div style="line-height:1.8"><small>{escape(title)}</small><br>'
            f'<span style="white-space:pre-wrap">{body}</span></div>'
        )

    def _coloured(self, segment: int) -> str:
        largest = float(np.abs(self.scores).max(initial=0)) or 1.0
        tokens = [np.array([place]) for place in np.flatnonzero(self.record.word_ids >= 0)]
        pieces = []
        for characters, score in self._pieces(segment, tokens):
            if score is None:
                pieces.append(escape(characters))
                continue
            light, dark = HUES[("for" if score > 0 else "against") if self.signed else "size"]
            strength = f"{abs(score) / largest * 0.6:.2f}"
            both = f"light-dark(rgba({light},{strength}),rgba({dark},{strength}))"
            # Browsers that do not know the second take the first.
            style = f"background:rgba({light},{strength});background:{both};border-radius:3px"
            pieces.append(f'<span style="{style}" title="{self.number(score)}">{escape(characters)}</span>')
        return "".join(pieces)

    def _pieces(self, segment: int, groups: Iterable[NDArray[np.intp]]) -> list[tuple[str, float | None]]:
        """One of the texts in pieces: of each group of tokens the characters and the sum of the scores."""
        text, record = self.texts[segment], self.record
        found: list[tuple[str, float | None]] = []
        position = 0
        for places in groups:
            if record.segments[places[0]] != segment:
                continue
            # Several tokens may be of one character, which is written once.
            start = max(int(record.offsets[places, 0].min()), position)
            end = max(int(record.offsets[places, 1].max()), start)
            found += [(text[position:start], None)] if start > position else []
            found.append((text[start:end], float(record.scores[places].sum())))
            position = end
        return [*found, (text[position:], None)]

    def _word_places(self) -> list[NDArray[np.intp]]:
        """The tokens of every word, in order."""
        ids = self.record.word_ids
        return [np.flatnonzero(ids == word) for word in dict.fromkeys(ids[ids >= 0].tolist())]

    def _written(self, places: NDArray[np.intp]) -> str:
        offsets = self.record.offsets[places]
        return self.texts[int(self.record.segments[places[0]])][offsets[:, 0].min() : offsets[:, 1].max()]


class NoSuchText(InputError, IndexError):
    """There is no text of this number; also an IndexError, as of any sequence."""


@dataclass(frozen=True, slots=True, eq=False)
class MethodExplanations(Sequence[TextExplanation]):
    """What one method says of every text, in order.

    `explanations[i]` explains the most probable class of text i, `explanations[i, label]` another one;
    `explanations[i:j]` are those of some texts.

    Attributes:
        method: the explainer, with its baseline where it has one.
        records: for every text its explanations, one per explained class.
        examples: the explained texts.
        labels: the names of the classes.
        probabilities: (N, K) the model's output.
        signed: whether a negative score is evidence against the class.
    """

    method: str
    records: Sequence[Sequence[Explanation]]
    examples: Sequence[Example]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    signed: bool = True

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int | tuple[int, str | int]) -> TextExplanation: ...
    @overload
    def __getitem__(self, place: slice) -> MethodExplanations: ...
    def __getitem__(self, place: int | slice | tuple[int, str | int]) -> TextExplanation | MethodExplanations:  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(place, slice):
            parts = self.records[place], self.examples[place], self.labels, self.probabilities[place]
            return MethodExplanations(self.method, *parts, self.signed)
        text, label = place if isinstance(place, tuple) and len(place) == 2 else (place, None)
        if not isinstance(text, (int, np.integer)) or isinstance(text, bool):
            raise InputError(
                f"explanations are found by text number, or (number, label); not by {shown(place)}"
            )
        if not -len(self) <= text < len(self):
            raise NoSuchText(
                f"there is no text {text}; {counted(len(self), 'text')} were explained, 0 to {len(self) - 1}"
            )
        records = self.records[text]
        target = self._target(text, label)
        record = next((record for record in records if record.target == target), None)
        if record is None:
            raise InputError(
                f"{self.labels[target]!r} of text {text} was not explained; call explain with targets='all'"
            )
        probability = float(self.probabilities[text, target])
        example = self.examples[text]
        return TextExplanation(
            record, example.texts, self.labels[target], probability, self.method, self.signed
        )

    def __iter__(self) -> Iterator[TextExplanation]:
        return (self[place] for place in range(len(self)))

    def _target(self, text: int, label: str | int | None) -> int:
        if label is None:
            explained = [record.target for record in self.records[text]]
            return max(explained, key=lambda target: self.probabilities[text, target])
        if isinstance(label, str):
            if label not in self.labels:
                raise InputError(f"there is no label {label!r}; {did_you_mean(label, list(self.labels))}")
            return self.labels.index(label)
        number = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
        if not number or not 0 <= label < len(self.labels):
            raise InputError(f"there is no class {shown(label)}; expected 0 to {len(self.labels) - 1}")
        return int(label)

    def to_frame(self) -> pd.DataFrame:
        """One row per text, class and token, as `TextExplanation.to_frame`."""
        places = [(place, record.target) for place, records in enumerate(self.records) for record in records]
        explained = map(self.__getitem__, places)
        frames = {(one.record.example_id, one.label): one.to_frame() for one in explained}
        return stacked(frames, ["example_id", "label"])

    def __repr__(self) -> str:
        explanations = sum(map(len, self.records))
        return f"{self.method}: {counted(len(self), 'text')}, {counted(explanations, 'explanation')}"


@dataclass(frozen=True, slots=True, eq=False)
class Explanations(Mapping[str, MethodExplanations]):
    """What every method says of the same texts, by the method's name; made by `explain`.

    Attributes:
        loaded: the model with the texts.
        cells: the methods that make sense on this model, in order.
        by_name: the explanations of each.
        left_out: the methods that make no sense on this model, with the reason.
        store: where the explanations are kept, or None.
    """

    loaded: Loaded
    cells: Mapping[str, Cell]
    by_name: Mapping[str, MethodExplanations]
    left_out: Mapping[str, str]
    store: Store | None = None

    def __getitem__(self, name: str) -> MethodExplanations:
        if not isinstance(name, str):
            raise InputError(f"methods are found by name, not by {shown(name)}; there are {', '.join(self)}")
        if name in self.left_out:
            raise InputError(f"{name!r} was left out: {self.left_out[name]}")
        if name not in self.by_name:
            raise InputError(f"there is no method {name!r}; {did_you_mean(name, list(self.by_name))}")
        return self.by_name[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The explanations of a method, or the default where it has none."""
        return self.by_name.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def to_frame(self) -> pd.DataFrame:
        """One row per method, text, class and token."""
        return stacked({name: one.to_frame() for name, one in self.by_name.items()}, ["method"])

    def __repr__(self) -> str:
        texts, methods = counted(len(self.loaded.trial.task.test), "text"), counted(len(self), "method")
        lines = [f"Explanations of {texts} by {methods}"]
        lines += [f"  {explanations!r}" for explanations in self.by_name.values()]
        lines += [f"  {name}: left out, {reason}" for name, reason in self.left_out.items()]
        return "\n".join(lines)


def stacked(frames: Mapping[Any, pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """The frames below each other, with their keys as the first columns."""
    import pandas as pd

    return pd.concat(frames, names=names).reset_index(names).reset_index(drop=True)
