"""Phrases by which an accident report says whether somebody died, and texts without them."""

from __future__ import annotations

import re

# Regular expressions of whole words, for lower-case texts. Words of the accident and of the injury stay.
DEATH = (
    r"kill\w*",
    r"die[ds]?|dying|dead\w*|death\w*",
    r"fatal\w*",
    r"deceas\w*|deced\w*",
    r"pronounc(?:ed?|ing)|declar(?:ed?|ing)",
    r"succumb\w*|perish\w*|expired?|lifeless",
    r"passed (?:away|on)",
    r"life[ -]?support|loss of (?:his |her )?life|lost (?:his|her|their) li(?:fe|ves)|signs? of life",
    r"surviv\w*|reviv\w*|resuscitat\w*|cpr",
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
    r"transported|(?:air|life)[ -]?(?:lift|flight)\w*|helicopter|taken to|rushed to|flown",
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
# A sentence ends before a capital, also where the blank is missing; "a.m.", "No." and initials end none.
_SENTENCE = re.compile(
    r"(?<![ap]\.m\.)(?<!\bNo\.)(?<!\b[A-Z]\.)(?<=[.!?])[\"')\u201d]*\s+(?=[A-Z\"'(\u201c])"
    r"|(?<=[a-z]{2}[.!?])(?=[A-Z][a-z])"
)
_CLAUSE = re.compile(
    r",?\s+(?=(?:and|but|where|which|who|when|while|after|before|because|then|until|causing|resulting)\b)"
    r"|(?<=[,;:])\s+",
    re.IGNORECASE,
)
# Left over where the rest of a sentence went.
_LOOSE_ENDS = re.compile(
    r"^(?:and|but|then|which|who|where)\s+|^[\s,;:]+|[\s,;:]+$|\s+(?=[,.;])", re.IGNORECASE
)


def states_outcome(text: str) -> bool:
    """Whether a text has one of the phrases of `DEATH` or `CARE`."""
    return bool(_OUTCOME.search(text.lower()))


def without_outcome(text: str) -> str:
    """The text without the clauses that say whether somebody died, and without dates.

    A clause ends at a comma, colon or semicolon, and before words such as "and", "where" or "when". Of a
    sentence all of whose clauses go nothing stays, so that no mark tells where something stood. What stays
    has no phrase of the lists.

    Returns:
        The text; "" if nothing stays.

    Example:
        >>> without_outcome("On May 5, 2016, he fell 20 feet and was killed. He was pronounced dead.")
        'He fell 20 feet.'
    """
    sentences = _SENTENCE.split(_DATE.sub(" ", " ".join(text.split())))
    return " ".join(filter(None, map(_without_clauses, sentences)))


def _without_clauses(sentence: str) -> str:
    """The clauses of a sentence that state no outcome, as a sentence; "" if none stays."""
    clauses = _CLAUSE.split(sentence)
    staying = [clause for clause in clauses if not states_outcome(clause)]
    words = " ".join(staying)
    if len(staying) < len(clauses):
        words = _LOOSE_ENDS.sub("", words)
    words = " ".join(_LOOSE_ENDS.sub("", words).split())
    # A phrase may have stood across two clauses.
    if states_outcome(words) or not any(map(str.isalnum, words)):
        return ""
    end = "" if words[-1] in ".!?\"'" else "."
    return words[0].upper() + words[1:] + end
