"""How far accident tasks can be done without reading: by a word rule, and by a bag of words.

    python scripts/accident_shortcuts.py [--quick] [--path FILE]

1. OSHA abstracts (--path), as published and as task=osha_accidents reads them. The word rule says "Fatal"
   where a text has one of six words; its accuracy is over all texts. The bag of words is a logistic
   regression on which words a text has, trained on the earliest 80 % and tested on the latest 10 %. Both
   again on January to April 2017, the only months in which the file has reports of both kinds in numbers.
   Of the masked abstracts, sentences of at most three words that ten texts have: a rest such as "Was." in
   texts of one label alone would tell it (exact binomial test against all texts, Holm's correction).
2. task=planted_accidents: the same bag of words on its test texts, and on its dev texts, in which the shift
   goes along with the label.
The bar: no masked abstract has a phrase of the list, no short sentence tells the label (p < 0.05), the word
rule is no better on them than the more frequent label, and the bag of words loses at least 5 points; it stays
under 85 % on the planted test texts.
--quick: fewer planted texts; under a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bar import Table, finish, options

from assay.results.statistics.estimates import holm
from assay.tasks.example import Example, Task
from assay.tasks.osha_accidents import LABELS, WORD_RULE, osha_accidents
from assay.tasks.outcome_phrases import states_outcome
from assay.tasks.planted_accidents import planted_accidents
from assay.tasks.shortcuts import (
    bag_of_words_accuracy,
    majority_accuracy,
    short_sentences,
    word_rule_accuracy,
)

MOST_PLANTED, LEAST_LOSS = 0.85, 0.05
MONTHS = ("2017-01-01", "2017-04-30")


def every(task: Task) -> Sequence[Example]:
    """The texts of all splits."""
    return (*task.train, *task.dev, *task.test)


def osha_part(path: str) -> tuple[bool, str]:
    """Part 1; whether the bar is met, and its figures."""
    table = Table(
        "abstracts", texts=",d", fatal=".1%", word_rule=".1%", majority_in_test=".1%", bag_of_words=".1%"
    )
    rules, bags, stated, majority, telling = [], [], 0, 0.0, list[str]()
    for months, since, until in (("all", None, None), ("January to April 2017", *MONTHS)):
        for masked, state in ((False, "as published"), (True, "masked")):
            task = osha_accidents(path=path, mask_outcome=masked, auxiliary=[], since=since, until=until)
            texts = every(task)
            fatal = Counter(example.labels for example in texts)[1,] / len(texts)
            rules.append(word_rule_accuracy(texts, WORD_RULE, LABELS.index("Fatal")))
            bags.append(bag_of_words_accuracy(task))
            table.row(f"{months}, {state}", len(texts), fatal, rules[-1], majority_accuracy(task), bags[-1])
            if masked and since is None:
                stated = sum(states_outcome(example.texts[0]) for example in texts)
                majority = max(fatal, 1 - fatal)
                short = short_sentences(texts, LABELS.index("Fatal"))
                told = holm([one.p for one in short]) < 0.05
                telling = [one.form for one, tells in zip(short, told, strict=True) if tells]
    figures = (
        f"word rule {rules[0]:.1%} before and {rules[1]:.1%} after (always one label: {majority:.1%}); "
        f"bag of words {bags[0]:.1%} before and {bags[1]:.1%} after; {stated} masked texts state the "
        f"outcome; short sentences that tell it: {', '.join(telling) or 'none'}"
    )
    return stated == 0 and not telling and rules[1] <= majority and bags[0] - bags[1] >= LEAST_LOSS, figures


def planted_part(train: int, seeds: int) -> tuple[bool, str]:
    """Part 2; whether the bar is met, and its figures."""
    table = Table("planted_accidents", test=".1%", dev=".1%")
    found = []
    for seed in range(seeds):
        task = planted_accidents(seed=seed, train=train)
        found.append(bag_of_words_accuracy(task))
        table.row(f"seed {seed}", found[-1], bag_of_words_accuracy(replace(task, test=task.dev)))
    return max(found) < MOST_PLANTED, f"bag of words at most {max(found):.1%} on planted test texts"


def main() -> None:
    """Both parts, and the bar."""
    given = options(
        __doc__, "fewer planted texts", path=("", "the CSV file of OSHA abstracts; none: part 2 only")
    )
    parts = [osha_part(given.path)] if given.path else []
    parts.append(planted_part(train=1000, seeds=1) if given.quick else planted_part(train=6000, seeds=3))
    finish(all(met for met, _ in parts), "; ".join(figures for _, figures in parts))


if __name__ == "__main__":
    main()
