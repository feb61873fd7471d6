"""What a benchmark found, beside what was wanted of it, and the table of it."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        what: was measured.
        value: what came out; None where nothing could be measured.
        unit: of the value, or why there is none.
        at_least: the claim, where more is better.
        at_most: the claim, where less is better.
    """

    what: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the claim holds; None where nothing is claimed or measured."""
        if self.value is None:
            return None
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    @property
    def measured(self) -> str:
        """What came out."""
        return self.unit if self.value is None else f"{_number(self.value)} {self.unit}"

    @property
    def wanted(self) -> str:
        """The claim."""
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)} {self.unit}"
        if self.at_most is not None:
            return f"≤ {_number(self.at_most)} {self.unit}"
        return ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one program found.

    Attributes:
        command: makes these figures again.
        setting: under which circumstances, in a sentence.
    """

    command: str
    setting: str
    figures: tuple[Figure, ...]

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report behind `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        figures = tuple(Figure(**figure) for figure in fields.pop("figures"))
        return cls(**fields, figures=figures)

    def to_json(self) -> str:
        """For other programs."""
        return json.dumps(asdict(self), ensure_ascii=False)


def markdown(reports: Sequence[Report]) -> str:
    """One table of all figures, then the settings they were measured in."""
    lines = ["| what | measured | wanted | | command |", "|---|---|---|---|---|"]
    for report in reports:
        for figure in report.figures:
            verdict = {True: "met", False: "**not met**", None: ""}[figure.met]
            lines.append(
                f"| {figure.what} | {figure.measured} | {figure.wanted} "
                f"| {verdict} | `{report.command}` |"
            )
    lines += ["", *(f"- `{report.command}`: {report.setting}" for report in reports)]
    return "\n".join(lines)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def show(report: Report, *, as_json: bool) -> None:
    """Prints a report for people, or for programs."""
    print(report.to_json() if as_json else markdown([report]))


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
