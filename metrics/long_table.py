"""The long table every metric leaves: one row per unit, target and part.

unit: an example id, or those of a pair of texts (`pair_name`). target: a label index, or -1 where the value
is not about one label. part: which ingredient of the metric the value is ("ap", "predicted@30",
"activation_distance"). Ingredients rather than finished numbers are kept so that any aggregate, any slice and
any bootstrap resample can be computed later without the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Per part an (n, m) array over units and targets, NaN where a unit has no value.
Parts = dict[str, Floats]

COLUMNS = ("unit", "target", "part", "value")

# The id of one text of a pair.
_ID = r"((?:[^|\\]|\\.)*)"
_PAIR = re.compile(rf"{_ID}\|{_ID}", re.DOTALL)


def pair_name(first: str, second: str) -> str:
    """The unit of a pair of texts: their ids with a bar between, as in "a|b".

    Bars within ids, and backslashes, follow a backslash.
    """
    return "|".join(re.sub(r"([|\\])", r"\\\1", name) for name in (first, second))


def pair_texts(unit: str) -> tuple[str, str]:
    """The ids of the two texts, from `pair_name`. Raises InputError on any other name."""
    if "\\" not in unit and unit.count("|") == 1:
        # As most are: of hundred thousands of pairs, a tenth of the time.
        first, _, second = unit.partition("|")
        return first, second
    match = _PAIR.fullmatch(unit)
    if match is None:
        raise InputError(
            f"the unit {unit!r} names no pair of texts; expected two ids with a bar between, bars within ids "
            "written \\|; run the experiment anew, into another store"
        )
    first, second = (re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL) for name in match.groups())
    return first, second


def long(units: Sequence[str], parts: Mapping[str, ArrayLike], target: ArrayLike = -1) -> pd.DataFrame:
    """The long table of per-unit arrays (n,), one per part; `target` is one index or one per unit."""
    import pandas as pd

    n = len(units)
    frames = [
        pd.DataFrame(
            {
                "unit": np.asarray(units, dtype=object),
                "target": np.broadcast_to(np.asarray(target, dtype=np.int32), (n,)),
                "part": part,
                "value": np.asarray(values, dtype=np.float64),
            }
        )
        for part, values in parts.items()
    ]
    return pd.concat(frames, ignore_index=True)


# Parts of a metric compared with other marks than its own, `ceiling:part` and `group NAME:part`: the marks of
# one annotator as scores for another's, and the scores for the marks of one group of annotators.
CEILING = "ceiling"
_BESIDE = re.compile(r"(ceiling|group .*):([^:]*)", re.DOTALL)

# Parts that say of a text that it has no value: it has no rationale, or only one token.
NO_RATIONALE, ONE_TOKEN = "no_rationale", "one_token"
LEFT_OUT = frozenset({NO_RATIONALE, ONE_TOKEN})


def with_left_out(
    ids: list[str], rows: Ints, labels: Ints, parts: Mapping[str, ArrayLike], left_out: tuple[str, Bools]
) -> pd.DataFrame:
    """The long table of N texts of which some were left out.

    Args:
        ids: The ids of the texts.
        rows: (M,) the text of each value, as a position in `ids`.
        labels: (M,) the class of each value.
        parts: Arrays (M,), one per part.
        left_out: A part's name (one of LEFT_OUT), and for every text (N,) whether it was left out: 1 or 0 for
            target -1.
    """
    import pandas as pd

    counted = long(ids, dict([left_out]))
    # A table without rows would change the type of the column it is joined with.
    return pd.concat([long([ids[row] for row in rows], parts, labels), counted]) if len(rows) else counted


def of_group(group: str) -> str:
    """What parts begin with that are compared with the marks of a group of annotators."""
    return f"group {group}"


def without_beside(parts: Mapping[str, Floats]) -> tuple[Parts, dict[str, Parts]]:
    """A metric's own parts, and by what they begin with those compared with other marks, as its own are
    called."""
    own: Parts = {}
    beside: dict[str, Parts] = {}
    for name, values in parts.items():
        found = _BESIDE.fullmatch(name)
        if found is None:
            own[name] = values
        else:
            beside.setdefault(found[1], {})[found[2]] = values
    return own, beside


def wide(table: pd.DataFrame) -> tuple[list[str], list[int], dict[str, Floats]]:
    """The inverse of `long`: units (n), targets (m), and per part an (n, m) array, NaN where absent.

    Units and targets are sorted, so that two explainers' tables of the same texts line up.
    """
    units, unit_at = np.unique(table["unit"].to_numpy(dtype=str), return_inverse=True)
    targets, target_at = np.unique(table["target"].to_numpy(), return_inverse=True)
    arrays: dict[str, Floats] = {}
    for part, rows in table.groupby("part", sort=True).indices.items():
        array = np.full((len(units), len(targets)), np.nan)
        array[unit_at[rows], target_at[rows]] = table["value"].to_numpy()[rows]
        arrays[str(part)] = array
    return units.tolist(), targets.tolist(), arrays
