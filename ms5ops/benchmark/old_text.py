"""The monthly text report of the old shell benchmark.

Read are lines ``Date: ...`` and ``Environment: ...``; and queries in any of three forms: one a line (``name: average
38.4 ms, median 36.9 ms (5 runs)``), a name with lines ``Average: 38.4 ms`` below it, or a table with ``|`` between
columns. Sections on storage and parameters go into the run's note. Log prefixes, colours and rules are skipped.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ms5ops.benchmark.old_report import FIGURES, OldQuery, OldReport
from ms5ops.benchmark.report_numbers import NOT_MEASURED, Spot, count, instant, milliseconds
from ms5ops.errors import BenchmarkError

Section = Literal["head", "queries", "storage", "parameters", "other"]

_NOISE = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^(?:\[[^\]]*\]\s*|(?:INFO|SUCCESS|NOTICE|DEBUG)[:\s]+|[-*•✓✔+]\s+)+")
_RULE = re.compile(r"^[\s=\-_+|:#*]*$")
_PAIR = re.compile(r"^\s*([A-Za-z][\w ().%/-]*?)\s*[:=]\s*(\S.*?)\s*$")
_DATES = frozenset({"timestamp", "date", "generated", "generated at", "generated on", "report date", "run at", "time"})
_QUERY_NAMES = frozenset({"query", "running", "running query", "test", "benchmark"})
_WORDS = "|".join(sorted(FIGURES, key=len, reverse=True))
_GIVEN = "|".join(re.escape(word) for word in sorted(NOT_MEASURED, key=len, reverse=True) if word)
_SPANS = "milliseconds|msec|ms|seconds|secs|sec|s|microseconds|us|µs|ns|minutes|mins|min|hours|h"
"""Units of time, known or not: what follows a number and is none of these is not its unit."""
_FIGURE = re.compile(
    rf"\b(?P<word>{_WORDS})(?:_ms| time)?\s*[:=]?\s*"
    rf"(?P<value>(?:[+-]?\d[^\s,;()|]*(?:,\d[^\s,;()|]*)*|(?:{_GIVEN})(?!\w))(?:\s*(?:{_SPANS})\b)?)"
    r"|(?P<runs>\d+)\s*(?:runs|iterations|executions)\b",
    re.IGNORECASE,
)
_BARE_TIME = re.compile(r"^\s*([A-Za-z_][\w./ -]*?)\s*[:=]\s*[+-]?[\d.,]+\s*(?:ms|msec|s|sec)\s*$", re.IGNORECASE)
_PROMISES = ("target", "threshold", "limit", "goal", "budget", "total", "expected")
NEXT = "Name a text report of the shell benchmark, or write the figures as `name: average 38.4 ms, median 36.9 ms`."


def read(text: str, file: Path) -> OldReport:
    """What the text tells; BenchmarkError names what is wrong and its line."""
    reader = _Reader(file)
    for number, line in enumerate(text.splitlines(), start=1):
        reader.take(_PREFIX.sub("", _NOISE.sub("", line).rstrip()), number)
    return reader.report()


class _Reader:
    """Line after line; what the lines before have opened (a section, a query, a table) is kept."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.section: Section = "head"
        self.name: str | None = None
        self.columns: list[str] = []
        self.queries: dict[str, dict[str, Any]] = {}
        self.taken: tuple[datetime, str | None] | None = None
        self.environment: str | None = None
        self.told: dict[str, dict[str, str]] = {"storage": {}, "parameters": {}}

    def take(self, line: str, number: int) -> None:
        if _RULE.match(line):
            return
        pair = _PAIR.match(line)
        if pair and self._head(pair[1].lower(), pair[2], number):
            return
        if line.count("|") >= 2:
            self._row([cell.strip() for cell in line.strip().strip("|").split("|")], number)
            return
        self.columns = []
        figures = list(_FIGURE.finditer(line))
        if (section := _section(line)) and not figures:
            self.section, self.name = section, None
        elif self.section in ("storage", "parameters"):
            self._tell(pair, line)
        elif self.section != "other":
            self._query(line, pair, figures, number)

    def report(self) -> OldReport:
        queries = {name: figures for name, figures in self.queries.items() if figures.keys() - {"runs"}}
        if not queries:
            raise BenchmarkError(f"{self.file} holds no query with an average or a median.", NEXT)
        taken_at, time_note = self.taken or self._month_in_name()
        return OldReport(
            taken_at=taken_at,
            time_note=time_note,
            environment=self.environment,
            queries=tuple(OldQuery(name, **figures) for name, figures in queries.items()),
            parameters=self.told["parameters"],
            storage=self.told["storage"],
        )

    def _head(self, key: str, value: str, number: int) -> bool:
        if key in _DATES and self.section == "head" and self.taken is None:
            self.taken = instant(value, Spot(self.file, key, number))
        elif key in ("environment", "env") and self.environment is None:
            self.environment = value
        else:
            return False
        return True

    def _tell(self, pair: re.Match[str] | None, line: str) -> None:
        words = line.split(None, 1)
        if pair:
            self.told[self.section][pair[1]] = pair[2]
        elif len(words) == 2:
            self.told[self.section][words[0]] = " ".join(words[1].split())

    def _query(self, line: str, pair: re.Match[str] | None, figures: list[re.Match[str]], number: int) -> None:
        if not figures:
            if pair and pair[1].lower() in _QUERY_NAMES:
                self._open(pair[2], number)
            elif bare := _BARE_TIME.match(line):
                if not bare[1].lower().startswith(_PROMISES):
                    spot = Spot(self.file, bare[1], number)
                    raise spot.wrong("is a time without a word", "Say whether it is the average or the median.")
            elif re.fullmatch(r"\s*[\w./-]+:?\s*", line):
                self._open(line.strip().rstrip(":"), number)
            return
        name = line[: figures[0].start()].strip(" \t:=-–(,")
        if name:
            self._open(name, number)
        for figure in figures:
            word = (figure["word"] or "runs").lower()
            self._keep(FIGURES[word], figure["value"] or figure["runs"], Spot(self.file, word, number))

    def _row(self, cells: list[str], number: int) -> None:
        heads = [FIGURES.get(re.sub(r"[\s_(]*(ms\)?|time)?\s*$", "", cell.lower()), "") for cell in cells]
        if "average_ms" in heads or "median_ms" in heads:
            self.columns = heads
        elif self.columns and len(cells) == len(self.columns):
            if "" not in self.columns:
                raise Spot(self.file, "the table's row", number).wrong("names no query", NEXT)
            self._open(cells[self.columns.index("")], number)
            for head, cell in zip(self.columns, cells, strict=True):
                if head:
                    self._keep(head, cell, Spot(self.file, f"{self.name} {head}", number))

    def _open(self, name: str, number: int) -> None:
        if self.queries.get(name):
            raise Spot(self.file, name, number).wrong("stands there a second time", "Give each query once.")
        self.name = name
        self.queries[name] = {}

    def _keep(self, field: str, value: str, spot: Spot) -> None:
        if self.name is None:
            if field == "runs" and self.section == "head":  # "Iterations: 5" above the queries
                self.told["parameters"]["runs"] = value
                return
            raise spot.wrong("belongs to no query", NEXT)
        if field in self.queries[self.name]:
            raise spot.wrong(f"stands there a second time for {self.name}", "Give each figure once.")
        self.queries[self.name][field] = count(value, spot) if field == "runs" else milliseconds(value, spot)

    def _month_in_name(self) -> tuple[datetime, str]:
        match = re.search(r"(20\d\d)[-_]?(0[1-9]|1[0-2])", self.file.name)
        if match is None:
            raise BenchmarkError(
                f"{self.file} tells no date, and its name no month.",
                "Add a line such as `Date: 2025-10-01 02:00:07 UTC`.",
            )
        return datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC), "Its time is the month in the file's name."


_SECTIONS: Mapping[Section, tuple[str, ...]] = {
    "storage": ("storage", "database size", "compression", "disk"),
    "parameters": ("parameter", "configuration", "settings"),
    "queries": ("query", "queries", "results", "performance"),
    "other": ("summary", "recommendation", "conclusion", "notes"),
}


def _section(line: str) -> Section | None:
    """The section that a line opens: a title of some words, without a value."""
    title = line.strip(" #=:-*").lower().replace("_", " ")
    if not re.fullmatch(r"(?:\d+\. )?[a-z][a-z ()&/]{3,50}", title) or len(title.split()) > 6:
        return None
    is_title = " " in title or line.rstrip().endswith(":") or line.startswith("#") or line.strip().isupper()
    if not is_title:
        return None
    return next((section for section, words in _SECTIONS.items() if any(word in title for word in words)), None)
