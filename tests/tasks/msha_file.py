"""A file with the header and the habits of MSHA's Accidents.txt, and made-up accidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# As two public analyses of the official file name them.
HEADER = (
    "MINE_ID", "CONTROLLER_ID", "CONTROLLER_NAME", "OPERATOR_ID", "OPERATOR_NAME", "CONTRACTOR_ID",
    "DOCUMENT_NO", "SUBUNIT_CD", "SUBUNIT", "ACCIDENT_DT", "CAL_YR", "CAL_QTR", "FISCAL_YR", "FISCAL_QTR",
    "ACCIDENT_TIME", "DEGREE_INJURY_CD", "DEGREE_INJURY", "FIPS_STATE_CD", "UG_LOCATION_CD", "UG_LOCATION",
    "UG_MINING_METHOD_CD", "UG_MINING_METHOD", "MINING_EQUIP_CD", "MINING_EQUIP", "EQUIP_MFR_CD",
    "EQUIP_MFR_NAME", "EQUIP_MODEL_NO", "SHIFT_BEGIN_TIME", "CLASSIFICATION_CD", "CLASSIFICATION",
    "ACCIDENT_TYPE_CD", "ACCIDENT_TYPE", "NO_INJURIES", "TOT_EXPER", "MINE_EXPER", "JOB_EXPER",
    "OCCUPATION_CD", "OCCUPATION", "ACTIVITY_CD", "ACTIVITY", "INJURY_SOURCE_CD", "INJURY_SOURCE",
    "NATURE_INJURY_CD", "NATURE_INJURY", "INJ_BODY_PART_CD", "INJ_BODY_PART", "SCHEDULE_CHARGE",
    "DAYS_RESTRICT", "DAYS_LOST", "TRANS_TERM", "RETURN_TO_WORK_DT", "IMMED_NOTIFY_CD", "IMMED_NOTIFY",
    "INVEST_BEGIN_DT", "NARRATIVE", "CLOSED_DOC_NO", "COAL_METAL_IND",
)  # fmt: skip
_NUMBERS = ("NO_INJURIES", "TOT_EXPER", "DAYS_LOST", "CAL_YR")


def accident(number: int, **changed: str) -> dict[str, str]:
    """A whole row; its even and odd numbers differ in days, and each day has two."""
    return {
        **dict.fromkeys(HEADER, ""),
        "MINE_ID": f"{number % 40:07}",
        "OPERATOR_NAME": "Some Company",
        "DOCUMENT_NO": f"{number:012}",
        "ACCIDENT_DT": f"{1 + number // 56 % 12:02}/{1 + number // 2 % 28:02}/{2001 + number // 672 % 20}",
        "CAL_YR": str(2001 + number // 672 % 20),
        "DEGREE_INJURY": {49: "FATALITY", 99: "ACCIDENT ONLY"}.get(number % 100, "DAYS AWAY"),
        "NO_INJURIES": "1",
        "TOT_EXPER": f"{number % 30}.5",
        "DAYS_LOST": ("30", "120")[number % 2],
        "ACCIDENT_TYPE_CD": "08", "ACCIDENT_TYPE": ("FALL", "STRUCK BY")[number % 2],
        "CLASSIFICATION_CD": "18", "CLASSIFICATION": "SLIP OR FALL OF PERSON",
        "INJ_BODY_PART_CD": f"4{number % 3}", "INJ_BODY_PART": ("BACK", "HEAD", "HAND")[number % 3],
        "INJURY_SOURCE_CD": "1", "INJURY_SOURCE": "LADDER",
        "NATURE_INJURY_CD": "2", "NATURE_INJURY": "SPRAIN",
        "ACTIVITY_CD": "3", "ACTIVITY": "WALKING",
        "NARRATIVE": f"EE {number} FELL FROM THE 6\" LADDER AND HURT HIS BACK.",
        **changed,
    }  # fmt: skip


def written(row: Mapping[str, str], header: Sequence[str] = HEADER, *, quotes: bool = True) -> str:
    """A line: texts in quotes, which are not doubled inside of them."""
    return "|".join(
        f'"{row[name]}"' if quotes and row[name] and name not in _NUMBERS else row[name] for name in header
    )


def write(
    path: Path, lines: Iterable[str], header: Sequence[str] = HEADER, *, encoding: str = "cp1252"
) -> str:
    """Lines below a header."""
    with path.open("w", encoding=encoding, newline="") as file:
        file.write("|".join(header) + "\r\n")
        file.writelines(f"{line}\r\n" for line in lines)
    return str(path)
