"""Phrases by which an accident report says whether somebody died, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Regular expressions of whole words, for lower-case texts. Words of the accident and of the injury stay.
DEATH = (
    r"kill\w*",
    r"die[ds]?|dying|dead\w*|death\w*",
    r"fatal\w*",
    r"deceas\w*|deced\w*",
    r"pronounc(?:e\w*|ing)|declar(?:ed?|ing)",
    r"succumb\w*|perish\w*|expired?|lifeless",
    r"passed (?:away|on)",
    r"life[ -]?support|loss of (?:his |her )?life|lost (?:his|her|their) li(?:fe|ves)|signs? of life",
    r"surviv\w*|reviv\w*|resuscitat\w*|cpr|not be saved",
    r"pulse|vital signs|not breathing|stopped breathing|unresponsive\w*|non-?responsive\w*",
    r"coroner\w*|medical examiner\w*|autops\w*|post-?mortem|morgue|hospice",
    r"toxicolog\w*|homicid\w*|suicid\w*|murder\w*|victims?",
    r"causes? of|complications",
    r"bod(?:y|ies) (?:was|were|had been)",
    r"(?:found|discovered|recovered) (?:his|her|the|their|\w+'s) bod(?:y|ies)",
    # Verbs that say what somebody died of.
    r"electrocut\w*|asphyxia\w*|drown\w*|suffocat\w*|strangl\w*|decapitat\w*",
)
# What is done with the living, and whose help was called.
CARE = (
    r"non-?fatal\w*|life[ -]threatening",
    r"hospital\w*|clinic|medical (?:center|facility|attention|care|treatment)|emergency room|trauma center",
    r"(?:burn|intensive) (?:center|unit|care)|icu",
    r"treatments?|(?:was|were|be|been|being|medically|and|then) treated|treated (?:at|for|and|by|in|on)",
    r"(?:was|were|been|and|then|later) (?:released|discharged)",
    r"admit\w*",
    r"surger\w*|surgical\w*|surgeons?|operated on him|sutur\w*|stitche[ds]|rehabilitat\w*",
    r"recovering|recovery|recuperat\w*|return\w* to work",
    r"first aid|paramedics?|ambulance|emergency (?:medical )?(?:services?|responders?|personnel|crews?)",
    r"ems|emts?|911|rescue personnel|rescuers",
    r"transported|(?:air|life)[ -]?(?:lift|flight)\w*|(?:by|medical) helicopter|taken to|rushed to|flown",
)
# Things of a workplace whose names have such a word.
THINGS = (
    r"dead[ -]?(?:trees?|limbs?|branch(?:es)?|pines?|plants?|roller|end\w*)|dead[ -]?man switch|deadman",
    r"kill switch(?:es)?",
    r"(?:the|a|an|two|top|upper|lower|air|axle|press|machines?|tool and|\w+ing) dies?",
    r"die (?:cast\w*|cut\w*|area|blocks?|plates?)",
    r"expired core|treatment (?:plants?|structure|building)",
)
# The share of deaths differs from month to month by how the reports were collected, not by how people work.
_MONTH = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_DATE = re.compile(
    rf",?\s*(?:\b(?:on|of|in)\s+)?\b(?:(?:{_MONTH})\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+20\d\d\b)?"
    rf"|(?:{_MONTH}),?\s+20\d\d\b|\d{{1,2}}[/-]\d{{1,2}}[/-](?:20)?\d\d\b|201[5-7]\b)",
    re.IGNORECASE,
)
_OUTCOME = re.compile(rf"\b(?:{'|'.join((*DEATH, *CARE))})\b")
_THINGS = re.compile(rf"\b(?:{'|'.join(THINGS)})\b")
# A sentence ends before a capital, also where the blank is missing; "a.m.", "No." and initials end none.
_SENTENCE = re.compile(
    r"(?<![ap]\.m\.)(?<!\bNo\.)(?<!\b[A-Z]\.)(?<=[.!?])[\"')\u201d]*\s+(?=[A-Z\"'(\u201c])"
    r"|(?<=[a-z]{2}[.!?])(?=[A-Z][a-z])"
)
_CLAUSE = re.compile(
    r",?\s+(?=(?:and|but|where|(?:(?:for|at|in|of|from) )?which|who|when|while|after|before|because|until"
    r"|(?<!was )(?<!were )then|causing|resulting)\b)"
    r"|(?<=[,;:])\s+",
    re.IGNORECASE,
)
# A clause of these words alone says nothing without the clause beside it: "and was | then hospitalized".
_STUB = re.compile(
    r"(?:(?:and|but|or|who|which|where|when|while|after|before|until|then|that|for|at|in|of|from|as|he|she|it|they"
    r"|was|were|is|are|be|been|has|had|have|also|however|later|shortly|upon|arrival)\b\W*)+",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{1,2}(?::\d\d)?\s*[ap]\.?m\b\.?", re.IGNORECASE)
# What stays of a sentence has more words than this, beside the time of day.
MOST_LEFT_OVER = 2
# Left over where the rest of a sentence went.
_LOOSE_ENDS = re.compile(
    r"^(?:and|but|then|which|who|where)\s+|^[\s,;:]+|[\s,;:]+$|\s+(?=[,.;])", re.IGNORECASE
)


def states_outcome(text: str) -> bool:
    """Whether a text has one of the phrases of `DEATH` or `CARE`, other than in one of `THINGS`."""
    return bool(_OUTCOME.search(_THINGS.sub(" ", text.lower())))


def without_outcome(text: str) -> str:
    """The text without the clauses that say whether somebody died, and without dates.

    A clause ends at a comma, colon or semicolon, and before words such as "and", "where" or "when". With a
    clause go those beside it that say nothing alone ("and was"), and of a sentence that lost a clause nothing
    stays of at most two words: "Was." would tell what stood there. What stays has no phrase of the lists.

    Returns:
        The text; "" if nothing stays.

    Example:
        >>> without_outcome("On May 5, 2016, he fell 20 feet and was killed. He was pronounced dead.")
        'He fell 20 feet.'
    """
    return " ".join(filter(None, map(_without_clauses, sentences(_DATE.sub(" ", text)))))


def sentences(text: str) -> list[str]:
    """The sentences of a report, with single blanks between words."""
    return _SENTENCE.split(" ".join(text.split()))


def _without_clauses(sentence: str) -> str:
    """The clauses of a sentence that state no outcome, as a sentence; "" if none stays."""
    clauses = _CLAUSE.split(sentence)
    taken = _with_stubs(clauses, [states_outcome(clause) for clause in clauses])
    words = " ".join(clause for clause, goes in zip(clauses, taken, strict=True) if not goes)
    if any(taken):
        words = _LOOSE_ENDS.sub("", words)
    words = " ".join(_LOOSE_ENDS.sub("", words).split())
    # A phrase may have stood across two clauses.
    if states_outcome(words) or not any(map(str.isalnum, words)):
        return ""
    if any(taken) and len(_TIME.sub(" ", words).split()) <= MOST_LEFT_OVER:
        return ""
    end = "" if words[-1] in ".!?\"'" else "."
    return words[0].upper() + words[1:] + end


def _with_stubs(clauses: Sequence[str], taken: Sequence[bool]) -> list[bool]:
    """Which clauses go: those taken, and those of `_STUB` words alone beside one that goes."""
    stub = [_STUB.fullmatch(clause) or not any(map(str.isalnum, clause)) for clause in clauses]
    goes = list(taken)
    for _ in clauses:
        beside = zip([False, *goes], [*goes[1:], False], strict=False)
        goes = [gone or bool(alone and any(by)) for gone, alone, by in zip(goes, stub, beside, strict=True)]
    return goes
