"""Concepts in a reader's own terms: words, phrases or coded answers that stand for each, from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assay.tasks.errors import InputError, did_you_mean, is_writable, shown
from assay.tasks.example import Example, Mention, Span, is_blank
from assay.tasks.files import file_text
from assay.tasks.words import phrase_pattern

# What denies a mention that follows it in the same clause, at most REACH words between. Another clause may
# begin at one of these words: "was not wearing a harness and fell".
_NEXT_CLAUSE = r"(?:and|but|because|so|then|when|while|before|after|whether)"
_NEGATOR = r"(?:not|no|never|neither|nor|without|cannot|\w+n['\u2019]t)"
REACH = 3
_DENIED = re.compile(
    rf"(?<!\w)({_NEGATOR})(?:\s+(?!{_NEXT_CLAUSE}\b)[\w'\u2019-]+){{0,{REACH}}}\s+$", re.IGNORECASE
)
# So many characters before a mention are searched for a negator.
_LOOKED_BACK = 160


@dataclass(frozen=True, slots=True)
class Concept:
    """What a reader calls something, and how it shows in a text.

    Attributes:
        name: as tables and sentences write it.
        added_by: who added it.
        words: words that stand for it, in any case, as they are written: no other form of a word is guessed.
        phrases: several words in a row, with any white space between.
        coded: answers to auxiliary questions of the task, as in "event_type: fall from height".
        negation: whether a negator at most `REACH` words before a mention, in the same clause, denies it, as
            in "did not fall". Punctuation between, and words that may begin a clause (and, but, because, so,
            then, when, while, before, after, whether), end the clause. Negators are not, no, never, neither,
            nor, without, cannot and words such as didn't.
    """

    name: str
    added_by: str
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    coded: tuple[str, ...] = ()
    negation: bool = True

    @property
    def terms(self) -> tuple[str, ...]:
        """Its words and phrases."""
        return (*self.words, *self.phrases)

    def mentions(self, example: Example) -> tuple[Mention, ...]:
        """Where the texts speak of it, in order; a negator is among the spans of what it denies.

        Example:
            >>> ladder = Concept("ladder", "me", words=("ladder",))
            >>> ladder.mentions(Example("a", ("Fell off a Ladder.",), (0,)))[0].spans
            (Span(start=11, end=17, segment=0),)
        """
        if not self.terms:
            return ()
        pattern = phrase_pattern(self.terms)
        return tuple(
            self._mention(text, segment, match)
            for segment, text in enumerate(example.texts)
            for match in pattern.finditer(text)
        )

    def _mention(self, text: str, segment: int, match: re.Match[str]) -> Mention:
        span = Span(match.start(), match.end(), segment)
        # The pattern also sees what stands before the part that is searched, so no word is cut.
        denied = (
            _DENIED.search(text, max(0, span.start - _LOOKED_BACK), span.start) if self.negation else None
        )
        if denied is None:
            return Mention(self.name, (span,))
        negator = Span(*denied.span(1), segment)
        return Mention(self.name, (negator, span), affirmed=False)


# What an entry may hold, and what that must be.
_FIELDS = ("words", "phrases", "coded", "added_by", "negation")


class _Loader(yaml.SafeLoader):
    """As yaml.safe_load, but a name that stands twice in a mapping is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            key: Any = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise InputError(f"line {line}: {shown(key)} stands there twice; rename or join the entries")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_concepts(source: str | Path | Mapping[str, Any]) -> tuple[Concept, ...]:
    """The concepts of a YAML file, or of a mapping as such a file holds it: name to entry.

    Raises:
        InputError: a file that cannot be read, an entry with an unknown or wrong field, without words,
            phrases or coded answers, or that does not say who added it.

    Example:
        >>> read_concepts({"ladder": {"words": ["ladder", "ladders"], "added_by": "A. Miller"}})[0].words
        ('ladder', 'ladders')
    """
    where = "concepts" if isinstance(source, Mapping) else str(source)
    entries: Any = source if isinstance(source, Mapping) else _entries(Path(source).expanduser())
    if not isinstance(entries, Mapping) or not entries:
        raise InputError(
            f"{where} holds {shown(entries)}; expected a mapping from the name of each concept to its entry, "
            "as in ladder: {words: [ladder, ladders], added_by: A. Miller}"
        )
    found = tuple(_concept(name, entry, where) for name, entry in entries.items())
    for at, concept in enumerate(found):
        if any(concept.name == other.name for other in found[:at]):
            raise InputError(
                f"{where}: two concepts have the name {concept.name!r}, but for blanks around it; rename one"
            )
    return found


def _entries(path: Path) -> Any:
    text = file_text(path)
    try:
        return yaml.load(text, _Loader)
    except InputError as error:
        raise InputError(f"{path}, {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise InputError(f"{path}{line}: this is no YAML ({reason}); mend it") from error


def _concept(name: object, entry: object, source: str) -> Concept:
    where = f"{source}: concept {shown(name)}"
    if not isinstance(name, str) or is_blank(name) or not is_writable(name):
        raise InputError(
            f"{where} has no text as its name; expected one, in quotes where it looks like a number"
        )
    if not isinstance(entry, Mapping):
        raise InputError(
            f"{where} is {shown(entry)}; expected a mapping with words, phrases or coded, and added_by"
        )
    for key in entry:
        if key not in _FIELDS:
            raise InputError(f"{where} has the unknown field {shown(key)}; {did_you_mean(key, _FIELDS)}")
    words, phrases, coded = (_texts(entry.get(key), f"{where}: {key}") for key in _FIELDS[:3])
    if not (words or phrases or coded):
        raise InputError(f"{where} has no words, phrases or coded answers; expected at least one of them")
    for word in words:
        if len(word.split()) > 1:
            raise InputError(
                f"{where}: words has {shown(word)}, which is several words; put it under phrases"
            )
    added_by, negation = entry.get("added_by"), entry.get("negation", True)
    if not isinstance(added_by, str) or is_blank(added_by):
        raise InputError(f"{where} does not say who added it; expected added_by: <a name>")
    if not isinstance(negation, bool):
        raise InputError(f"{where}: negation is {shown(negation)}; expected true or false")
    return Concept(name.strip(), added_by, words, phrases, coded, negation)


def _texts(given: object, where: str) -> tuple[str, ...]:
    """One text, or a list of different ones."""
    if given is None:
        return ()
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)):
        raise InputError(f"{where} is {shown(given)}; expected a text or a list of texts")
    for text in texts:
        if not isinstance(text, str) or is_blank(text):
            raise InputError(
                f"{where} has {shown(text)}; expected a text, in quotes where YAML reads another value"
            )
    return tuple(dict.fromkeys(text.strip() for text in texts))
