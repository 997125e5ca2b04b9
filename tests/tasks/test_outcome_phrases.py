"""What is left of a report when it no longer says how it ended."""

from __future__ import annotations

import pytest

from assay.tasks.outcome_phrases import states_outcome, without_outcome

# Text, and what stays. Most are abbreviated from real reports.
CASES = {
    "a clause": ("He fell 20 feet and was killed.", "He fell 20 feet."),
    "a sentence": ("A tree struck him. He was pronounced dead at the scene.", "A tree struck him."),
    "a date": ("At 9:45 a.m. on July 17, 2017, an employee slipped.", "At 9:45 a.m., an employee slipped."),
    "a date first": ("On March 24, 2017, Employee #1 slipped.", "Employee #1 slipped."),
    "a date in numbers": ("He slipped on 3/4/2016.", "He slipped."),
    "a month and a year": ("He slipped in May 2016 on ice.", "He slipped on ice."),
    "a year": ("In 2016 he slipped on ice.", "He slipped on ice."),
    "a number that is no year": ("He lifted 2000 pounds.", "He lifted 2000 pounds."),
    "a month that is a verb": ("He may have slipped on the 5 steps.", "He may have slipped on the 5 steps."),
    "the living": (
        "He fractured his hip, and was hospitalized. He was treated and released.",
        "He fractured his hip.",
    ),
    "help": (
        "A saw cut his hand. Emergency services were called, and he was transported to a clinic.",
        "A saw cut his hand.",
    ),
    "the cause of a death": ("He was struck. The cause of death was head trauma.", "He was struck."),
    "verbs that say a death": ("He touched a wire and was electrocuted.", "He touched a wire."),
    "a body": ("He fell in a tank. His body was recovered by divers.", "He fell in a tank."),
    "capitals": ("HE FELL OFF AND WAS KILLED.", "HE FELL OFF."),
    "no blank behind a sentence": ("The boom struck him.The employee was killed.", "The boom struck him."),
    "the clause behind stays": (
        "He was killed when a truck backed over him.",
        "When a truck backed over him.",
    ),
    "what stood beside the clause": (
        "He received treatment and was then hospitalized. She slipped on ice and was then hospitalized.",
        "She slipped on ice.",
    ),
    "an adverb beside the clause": (
        "He slipped on ice, and, upon arrival, he was, however, pronounced dead at the scene.",
        "He slipped on ice.",
    ),
    "a preposition beside the clause": (
        "He suffered burns to his arm for which he was hospitalized.",
        "He suffered burns to his arm.",
    ),
    "a pronoun that nothing is beside": ("He waited where he was and slipped.",) * 2,
    "of a list no short end": ("He fell. He had fatal injuries to his head and chest.", "He fell."),
    "of a sentence no time of day": ("A tree fell. At 9:30 a.m., he was killed.", "A tree fell."),
    "things whose names have such words": (
        "He hit the kill switch, a die fell and a dead tree limb struck his head, killing him.",
        "He hit the kill switch, a die fell and a dead tree limb struck his head.",
    ),
    "a machine, and help": (
        "The helicopter crashed, killing him. She was brought in by helicopter.",
        "The helicopter crashed.",
    ),
    "nobody saved": ("A wall fell; however, the two workers could not be saved.", "A wall fell."),
    "written together": ("A tree struck him. He was pronounceddeceased.", "A tree struck him."),
    "nothing stays": ("The employee was found dead.", ""),
    "machines": (
        "He released the brake, discharged the gun and cut treated lumber.",
        "He released the brake, discharged the gun and cut treated lumber.",
    ),
    "injuries": (
        "His finger was amputated. He had a heart attack.",
        "His finger was amputated. He had a heart attack.",
    ),
    "nothing to take": ("An employee (a roofer) slipped!", "An employee (a roofer) slipped!"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stays(case: str) -> None:
    text, expected = CASES[case]
    assert without_outcome(text) == expected
    assert not states_outcome(expected)


@pytest.mark.parametrize(
    "phrase",
    [
        "killed", "killing", "died", "dies", "dead", "death", "deadly", "fatal", "fatally", "fatalities",
        "deceased", "pronounced", "succumbed", "passed away", "life support", "lost his life", "survived",
        "resuscitation", "no pulse", "unresponsive", "coroner", "medical examiner", "autopsy", "homicide",
        "drowned", "asphyxiated", "asphyxia", "suffocated", "decapitated", "nonfatal", "hospitalized",
        "hospital", "medical center", "surgery", "ambulance", "paramedics", "airlifted", "911",
        "were released", "by helicopter", "not be saved", "emergency medical services",
    ],
)  # fmt: skip
def test_each_phrase_is_found_as_a_word_in_any_case(phrase: str) -> None:
    for written in (phrase, phrase.upper(), phrase.capitalize()):
        assert states_outcome(f"He, {written}.")
        assert without_outcome(f"He slipped. It was {written} there.") == "He slipped."
    assert not states_outcome(f"He, x{phrase.split()[0]}x{phrase.split()[-1]}x.")


def test_a_phrase_across_clauses_does_not_stay() -> None:
    # The comma parts "was" from "later released", which together are one of the phrases.
    text = "He slipped. He who was killed was, then released, gone."
    assert not states_outcome(without_outcome(text))


@pytest.mark.parametrize(
    "text", ["He was, however, pronounced dead at the scene.", "He was then hospitalized."]
)
def test_nothing_stays_that_would_tell_what_stood_there(text: str) -> None:
    assert without_outcome(text) == ""
