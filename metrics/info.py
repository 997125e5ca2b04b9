"""What a metric declares about itself, and the base class that gives the metric these attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

from assay.metrics.long_table import Parts
from assay.metrics.options import check_options
from assay.metrics.resampling import mean_of
from assay.tasks.arrays import Floats, Ints

Direction = Literal["higher", "lower"]
Pooling = Literal["no", "kind", "all"]
Summary = Callable[[Parts, str, Ints], Floats]

UNIT = (0.0, 1.0)
SIGNED = (-1.0, 1.0)
NONNEGATIVE = (0.0, float("inf"))


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What a metric declares about itself.

    Attributes:
        name: The name in configuration and tables.
        title: The heading in tables and figures.
        direction: Whether a better explainer scores higher or lower.
        bounds: Lowest and highest possible value of `summarise`.
        random_level: What a random explainer scores, in words.
        property: The diagnostic property that the metric measures.
        part: The part of the long table of which `summary` makes the value. A metric with a `summarise` of
            its own names the part that a text with a value has (`assay.metrics.measured`).
        needs: Capabilities of the model, "rationales", "grades", "labels", "ground_truth", "all_targets",
            "removal" or "explaining", "changed_tokens" where what is explained again differs in tokens only,
            "changed_model" where it is explained on another model.
        version: Raised whenever the mathematics changes.
        extreme: The value is an extreme. A resample's extreme never exceeds the sample's, so resampling says
            nothing about its error.
        of_pairs: The units are pairs of texts, named by `assay.metrics.long_table.pair_name`. Pairs that
            share a text are not independent.
        pooled: For a metric of two models: one value per pair of models ("no"), per kind of pair ("kind"), or
            over all pairs of all kinds ("all").
        scale: Of a metric without an upper bound, the size that differences of values are a share of; 0
            where the values themselves tell it.
        undefined: Why an explainer may have no value on any text, as a clause; empty for what is said of all
            metrics.
        of_groups: What is scored of a text also depends on which of the explained texts are of one group
            (`assay.tasks.example.Example.group`), so that stored scores are named by it.
        summary: From the parts, the name of `part` and resamples of the units to the values of the
            resamples (`assay.metrics.resampling`): the mean over texts, unless the metric declares another.
    """

    name: str
    title: str
    direction: Direction
    bounds: tuple[float, float]
    random_level: str
    property: str
    part: str = ""
    needs: frozenset[str] = frozenset()
    version: int = 1
    extreme: bool = False
    of_pairs: bool = False
    pooled: Pooling = "no"
    undefined: str = ""
    scale: float = 0.0
    of_groups: bool = False
    summary: Summary = mean_of


def as_coded(info: MetricInfo, **changes: Any) -> MetricInfo:
    """What the variant declares that reproduces the study's script, other than `changes`: as `info`."""
    names = {"name": f"{info.name}_as_coded", "title": f"{info.title}, as coded"}
    return replace(info, **{**names, "version": 1, "of_groups": False, **changes})


class MetricBase:
    """Base of the shipped metrics: each field of `info` is also a class attribute of the metric.

    A metric of a user's own may inherit from it, or declare the attributes of
    `assay.metrics.cell_data.Metric` itself.

    Example:
        >>> class Length(MetricBase):
        ...     info = MetricInfo("length", "Length", "lower", UNIT, "0.5", "complexity", part="tokens")
        >>> Length.direction
        'lower'
    """

    __slots__ = ()

    info: ClassVar[MetricInfo]
    name: ClassVar[str]
    title: ClassVar[str]
    direction: ClassVar[Direction]
    bounds: ClassVar[tuple[float, float]]
    random_level: ClassVar[str]
    property: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    version: ClassVar[int]
    extreme: ClassVar[bool]
    of_pairs: ClassVar[bool]
    pooled: ClassVar[Pooling]
    of_groups: ClassVar[bool]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "info" in vars(cls):
            for field in fields(cls.info):
                value = getattr(cls.info, field.name)
                setattr(cls, field.name, staticmethod(value) if callable(value) else value)

    def __post_init__(self) -> None:
        check_options(self)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) values of the resamples: `info.summary` of `info.part`.

        Args:
            parts: Per part an (n, m) array over units and targets, from `assay.metrics.long_table.wide`.
            index: (B, n) positions of the units of B resamples.
        """
        return self.info.summary(parts, self.info.part, index)
