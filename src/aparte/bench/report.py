"""What a measurement says: figures with their units, the machine they are of, and the command that repeats them."""

import shlex
import sys
from array import array
from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.table import Table

from aparte import __version__
from aparte.bench.processes import PARTS


class Figure(msgspec.Struct, frozen=True):
    """One number. Names are stable: they are the keys of the JSON report."""

    name: str
    value: float
    unit: str = ""


class Section(msgspec.Struct, frozen=True):
    """Figures of one load."""

    title: str
    figures: list[Figure]
    remarks: list[str] = []
    exceeded: list[str] = []
    """What is more than it may be: `--check` ends with 1."""

    def figure(self, name: str) -> float:
        """The value of a figure. Raises KeyError."""
        return {figure.name: figure.value for figure in self.figures}[name]


class Report(msgspec.Struct, frozen=True):
    """Everything one command found."""

    what: str
    command: str
    version: str
    facts: dict[str, str]
    """The machine, the versions, the settings of server and database."""
    sections: list[Section]

    @property
    def is_kept(self) -> bool:
        """Whether nothing is more than it may be."""
        return not any(section.exceeded for section in self.sections)


class Latencies:
    """Times in microseconds, four bytes each."""

    def __init__(self) -> None:
        """Start empty."""
        self._values = array("I")
        self.add = self._values.append

    def __len__(self) -> int:
        """How many there are."""
        return len(self._values)

    def percentiles(self, of: str) -> list[Figure]:
        """p50, p95, p99 and the longest, in milliseconds (nearest rank); nothing of nothing."""
        ordered = sorted(self._values)
        if not ordered:
            return []
        ranks = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return [
            Figure(f"{of}_{name}", ordered[max(0, -(-int(part * 100) * len(ordered) // 100) - 1)] / 1000, "ms")
            for name, part in ranks.items()
        ]


def cpu_figures(spent: Mapping[str, float], per: float, what: str, *, is_own: bool) -> list[Figure]:
    """CPU of each part in percent of a core, and of server and database per thing done, in milliseconds."""
    seconds = spent["seconds"]
    parts = (*PARTS, "others") if is_own else ("generator",)
    figures = [Figure(f"cpu_{part}", 100 * spent[part] / seconds, "% of a core") for part in parts]
    if is_own and per:
        each = {"server": spent["server"], "postgres": spent["postgres"]}
        each["server_and_postgres"] = sum(each.values())
        figures += [Figure(f"cpu_{part}_per_{what}", 1000 * cpu / per, "ms") for part, cpu in each.items()]
    return figures


def command() -> str:
    """The command line of this process, as one types it."""
    return shlex.join(["aparte", *sys.argv[1:]])


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
        return
    console = Console(highlight=False)
    console.print(f"aparte {report.version}: {report.command}", markup=False, soft_wrap=True)
    for name, value in report.facts.items():
        console.print(f"  {name}: {value}", markup=False, soft_wrap=True)
    for section in report.sections:
        table = Table("figure", "value", "unit", title=section.title, title_justify="left")
        table.columns[1].justify = "right"
        for figure in section.figures:
            table.add_row(figure.name.replace("_", " "), _rounded(figure.value), figure.unit)
        console.print(table)
        for remark in section.remarks:
            console.print(f"  {remark}", markup=False, soft_wrap=True)
        for line in section.exceeded:
            console.print(f"  exceeded: {line}", markup=False, soft_wrap=True)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def written(what: str, facts: dict[str, str], sections: list[Section]) -> Report:
    """Put a report together."""
    return Report(what, command(), __version__, facts, sections)
