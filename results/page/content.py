"""What a report is made of, whole or of one task and model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from assay.results.figures.style import Drawing
from assay.results.page.summary_tables import SummaryTables
from assay.results.recommendation.recommendation import Recommendation
from assay.results.records import Group, Results
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.breakdown import LabelGrid
from assay.results.tables.layout import Grid
from assay.results.tables.sections import Section

# An experiment of more tasks and models than that has a page for each.
MOST_ON_ONE_PAGE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Everything that a page shows; whatever is empty is left out, or said to be missing.

    Attributes:
        results: the scores, and what surrounds them.
        grids: the comparisons.
        drawings: of the comparisons.
        bootstrap: what the grids were made with, for the words about intervals.
        labels: the comparison label by label, of multi-label tasks.
        found: what follows from the scores beyond it.
        knowledge: figures of embeddings and hidden layers.
        advice: which explainer to use, for each task and model.
        claims: of the diagnostic study, tested, and published numbers.
    """

    results: Results
    grids: Sequence[Grid] = ()
    drawings: Sequence[Drawing] = ()
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    labels: Sequence[LabelGrid] = ()
    found: SummaryTables = field(default_factory=SummaryTables)
    knowledge: Sequence[Drawing] = ()
    advice: Sequence[Recommendation] = ()
    claims: Sequence[Section] = ()

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every task with every model that was compared, in order."""
        return list(dict.fromkeys(grid.group[:2] for grid in self.grids))

    @property
    def is_large(self) -> bool:
        """Whether each task and model needs a page of its own."""
        return len(self.places) > MOST_ON_ONE_PAGE

    def summary(self) -> Content:
        """What is about the experiment as a whole, where each task and model has a page of its own."""
        found = replace(self.found, scores=[], overall=[], stability=[], slice_grids=[])
        results = replace(self.results, texts=(), timings=())
        return replace(self, results=results, grids=(), labels=(), found=found)

    def of(self, place: tuple[str, str]) -> Content:
        """What is about one task and model, trained or not."""

        def own(group: Group) -> bool:
            return group[:2] == place

        one = self.results
        results = replace(
            one,
            cells=[cell for cell in one.cells if own(cell.group)],
            tasks=[task for task in one.tasks if task.name == place[0]],
            read=[each for each in one.read if own(each.group)],
            absences=[
                absence
                for absence in one.absences
                if absence.task in ("", place[0]) and absence.model in ("", place[1])
            ],
            timings=[timing for timing in one.timings if own(timing.group)],
            models=[model for model in one.models if own(model.group)],
            texts=[text for text in one.texts if own(text.group)],
            labels=[labels for labels in one.labels if own(labels.group)],
            annotators={task: agreed for task, agreed in one.annotators.items() if task == place[0]},
            facts=[facts for facts in one.facts if own(facts.group)],
            constant={where: flag for where, flag in one.constant.items() if own(where[0])},
        )
        found = SummaryTables(
            overall=[grid for grid in self.found.overall if own(grid.group)],
            stability=[ranking for ranking in self.found.stability if own(ranking.row.group)],
            slice_grids=[grid for grid in self.found.slice_grids if own(grid.group)],
        )
        return Content(
            results,
            [grid for grid in self.grids if own(grid.group)],
            (),
            self.bootstrap,
            [grid for grid in self.labels if own(grid.group)],
            found,
            (),
            [advice for advice in self.advice if own(advice.group)],
        )
