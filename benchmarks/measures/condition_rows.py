"""The errors by condition in results/accuracy.json, one row a condition, for the tables and the plot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

ERROR, CONCORDANCE, ANSWERED = "mean absolute error", "CCC", "share with an estimate"


@dataclass(slots=True)
class Condition:
    """One condition of one part, e.g. "FER+ by yaw", "|yaw| under 10°".

    measures: the benchmark's rows by what they measure, e.g. "mean absolute error, valence"
    """

    part: str
    name: str
    measures: dict[str, Row] = field(default_factory=dict)


def conditions(rows: Sequence[Row], phrases: Sequence[str] = ()) -> list[Condition]:
    """Of the parts whose name contains one of the phrases, in the order of the rows."""
    found: dict[tuple[str, str], Condition] = {}
    for row, name, measure in _condition_rows(rows):
        part = str(row["part"])
        if not phrases or any(phrase in part for phrase in phrases):
            condition = found.setdefault((part, name), Condition(part, name))
            condition.measures[measure] = row
    return list(found.values())


def label(rows: Sequence[Row]) -> str:
    """The bundle that was measured; "" in results that do not say."""
    return next((str(row["note"]) for row in rows if (row["part"], row["figure"]) == ("bundle", "size, MB")), "")


def _condition_rows(rows: Sequence[Row]) -> Iterator[tuple[Row, str, str]]:
    for row in rows:
        name, _, measure = str(row.get("figure", "")).rpartition(": ")
        if measure.partition(",")[0] in (ERROR, CONCORDANCE, ANSWERED):
            yield row, name, measure
