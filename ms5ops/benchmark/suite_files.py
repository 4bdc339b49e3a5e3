"""A suite as files: a folder of questions, read and checked as a whole before anything is asked.

The folder is sql/benchmark/, or one that an environment names for its own tables (``benchmarks`` in ms5ops.toml):

- every ``.sql`` file in it is a question, or (``name.raw.sql``) another variant of one;
- every folder in it with a ``page.toml`` is a dashboard, and the files in there are its panels;
- ``choices/`` holds what is looked up before anything is timed: ``newest_sample.sql``, and what gives parameters.

Headers are those of ``ms5ops.queries``. What is wrong is told by file: no run begins with a question that cannot be
asked, or that would be asked otherwise than its header says.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ms5ops import paths, strict
from ms5ops.benchmark.anchor import spans
from ms5ops.benchmark.records import GROUPS, Group
from ms5ops.benchmark.suite import DASHBOARD_TARGET_MS, NEWEST, NEWEST_COLUMN, Page, Question, Suite, gives, needs
from ms5ops.benchmark.twins import BUCKET
from ms5ops.database import parameter_names
from ms5ops.errors import BenchmarkError
from ms5ops.policy.bodies import check_select
from ms5ops.queries import MOST_BYTES, Query, leads_out, read_folder

FOLDER = paths.SQL / "benchmark"
CHOICES, PAGE_FILE = "choices", "page.toml"
RESERVED = re.compile(
    r"concurrency_\d+(_throughput)?|ingest_batch_\d+|load_(2x_ingest|2x_dashboards|headroom)|job_start_delay"
)
"""What the other parts of a run are called: their results stand beside those of the questions."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_QUESTION_KEYS = ("group", "target_p95_ms", "stands_for", "twin", "needs", "many_clients")
_PANEL_KEYS = ("needs",)
_OF_QUESTIONS = ("group", "target_p95_ms", "stands_for", "twin", "many_clients")
"""Keys that say the same in all variants of a question."""
_HEADER = "Correct its first lines."
_SPANS = frozenset(spans(datetime(2000, 1, 1, tzinfo=UTC)))


class PageFile(BaseModel):
    """What a folder of panels is: its ``page.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: Annotated[str, Field(min_length=1)]
    stands_for: Annotated[str, Field(min_length=1)]
    target_p95_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] = DASHBOARD_TARGET_MS


def load_suite(folder: Path | None = None) -> Suite:
    """The suite in a folder as it is now; None: the one that comes with ms5ops, read once.

    BenchmarkError, QueryMissing or ConfigError names a file that is not as it has to be.
    """
    if folder is None:
        return _shipped()
    try:
        return replace(_read(folder), folder=folder)
    except OSError as error:
        raise BenchmarkError(f"{folder} cannot be read ({error}).", "Check its permissions.") from error


@cache
def _shipped() -> Suite:
    return _read(FOLDER)


def _read(folder: Path) -> Suite:
    if not folder.is_dir():
        raise BenchmarkError(
            f"There is no folder {folder}, which should hold the questions of the benchmarks.",
            "Correct benchmarks in ms5ops.toml (or MS5OPS_BENCHMARKS), or leave it out.",
        )
    choices = _choices(folder)
    given = _SPANS | {name for choice in choices.values() for name in gives(choice)}
    questions = tuple(_question(name, variants) for name, variants in _by_name(folder, _QUESTION_KEYS, given).items())
    pages = tuple(_page(found, given) for found in _page_folders(folder))
    if not questions and not pages:
        raise BenchmarkError(f"{folder} holds no question.", "Put a file per question there (docs/benchmarks.md).")
    _check_names(questions, pages)
    _check_twins(questions)
    return Suite(questions, pages, choices)


def _by_name(folder: Path, keys: tuple[str, ...], given: Collection[str]) -> dict[str, list[Query]]:
    """The files of a folder by question, each question's variants with those first that need most."""
    found: dict[str, list[Query]] = {}
    for query in read_folder(folder, keys):
        _check_query(query, given)
        found.setdefault(query.name, []).append(query)
    for variants in found.values():
        _check_variants(variants)
    return {name: sorted(variants, key=lambda one: -len(needs(one))) for name, variants in found.items()}


def _check_query(query: Query, given: Collection[str]) -> None:
    """BenchmarkError where a file cannot be asked as it stands; ``given``: the parameters that there are."""
    if not _NAME.fullmatch(query.name) or query.file.name.split(".")[0] != query.name:
        raise BenchmarkError(
            f"{query.file} says in its header that it is {query.name[:63]!r}.",
            "Give file and query one name, of small letters, digits and underscores.",
        )
    if query.at_least != (2, 11, 0) or query.below is not None:
        raise BenchmarkError(
            f"{query.file} is bound to some versions of TimescaleDB, and a benchmark asks every server the same.",
            "Take the timescaledb line out of its header.",
        )
    try:
        check_select(query.sql, str(query.file))
    except ValueError as error:
        raise BenchmarkError(f"{error}.", "Write one statement that only reads.") from error
    for name in query.params:
        if name not in given:
            raise BenchmarkError(
                f"{query.file} asks for the parameter {name}, which nothing gives{strict.nearest(name, given)}.",
                f"Those there are: {', '.join(sorted(given))}. A column of a file in choices/ gives another.",
            )
    untold = sorted(parameter_names(query.sql) - set(query.params))
    if untold:
        raise BenchmarkError(
            f"{query.file} holds :{untold[0]}, which is not among the params of its header.",
            "Name it there; a colon that begins no parameter is written \\:.",
        )


def _check_variants(variants: Sequence[Query]) -> None:
    first = variants[0]
    for place, other in enumerate(variants[1:], start=1):
        differing = [key for key in _OF_QUESTIONS if other.extra.get(key) != first.extra.get(key)]
        if list(other.columns) != list(first.columns):
            differing.append("columns")
        if differing:
            raise BenchmarkError(
                f"{first.file} and {other.file} ask one question, and differ in {', '.join(differing)}.",
                "Make these lines of their headers the same.",
            )
        same = next((one for one in variants[:place] if needs(one) == needs(other)), None)
        if same is not None:
            raise BenchmarkError(
                f"{same.file} and {other.file} need the same, so that one of them would never be asked.",
                "Say in one's header which aggregates it needs, or take it away.",
            )


def _question(name: str, variants: Sequence[Query]) -> Question:
    first = variants[0]
    for key in ("group", "target_p95_ms", "stands_for"):
        if not first.extra.get(key):
            raise BenchmarkError(f'{first.file} lacks "-- {key}: ..." in its header.', _HEADER)
    group = next((one for one in GROUPS if one == first.extra["group"]), None)
    if group is None:
        raise BenchmarkError(
            f"{first.file}: there is no group {first.extra['group']!r}{strict.nearest(first.extra['group'], GROUPS)}.",
            f"Choose one of: {', '.join(GROUPS)}.",
        )
    if first.extra.get("many_clients", "yes") != "yes":
        raise BenchmarkError(f"{first.file}: many_clients can only be yes.", "Leave the line out where it is not.")
    return Question(
        name=name,
        about=first.about,
        stands_for=first.extra["stands_for"],
        group=group,
        target_p95_ms=_target(first),
        twin=first.extra.get("twin"),
        variants=tuple(variants),
        many_clients="many_clients" in first.extra,
    )


def _target(question: Query) -> float:
    try:
        target = float(question.extra["target_p95_ms"])
    except ValueError:
        target = math.nan
    if not 0 < target < math.inf:
        raise BenchmarkError(
            f"{question.file}: target_p95_ms is {question.extra['target_p95_ms']!r}, and must be milliseconds above 0.",
            _HEADER,
        )
    return target


def _page_folders(folder: Path) -> Iterator[Path]:
    for found in sorted(folder.iterdir()):
        if found.name.startswith(".") or found.name == CHOICES or not found.is_dir():
            continue
        if leads_out(found, folder):
            raise BenchmarkError(f"{found} is a link that leads out of its folder.", "Put the folder itself there.")
        if (found / PAGE_FILE).exists():
            yield found
        elif any(found.glob("*.sql")):
            raise BenchmarkError(
                f"{found} holds panels, but no {PAGE_FILE} that says of which dashboard.",
                f'Write {PAGE_FILE} there, with about = "..." and stands_for = "...".',
            )


def _page(folder: Path, given: Collection[str]) -> Page:
    file = folder / PAGE_FILE
    try:
        if leads_out(file, folder) or file.stat().st_size > MOST_BYTES:
            raise BenchmarkError(f"{file} is a link, or too large.", "Write it anew: it has two lines.")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{file} cannot be read ({error}).", "Check its permissions and encoding.") from error
    told = strict.validated(PageFile, strict.parse_toml(text, file), file)
    panels = tuple(
        Question(name, found[0].about, told.stands_for, "dashboard", told.target_p95_ms, None, tuple(found))
        for name, found in _by_name(folder, _PANEL_KEYS, given).items()
    )
    if not panels:
        raise BenchmarkError(f"The dashboard {folder} has no panel.", "Put a file per panel there.")
    return Page(folder.name, told.about, told.stands_for, told.target_p95_ms, panels)


def _choices(folder: Path) -> Mapping[str, Query]:
    files = read_folder(folder / CHOICES) if (folder / CHOICES).is_dir() else ()
    found = {one.name: one for one in files}
    newest = found.get(NEWEST)
    if newest is None or NEWEST_COLUMN not in newest.columns:
        what = "lacks" if newest is None else "does not name the column newest in its header, as must"
        raise BenchmarkError(
            f"{folder} {what} {CHOICES}/{NEWEST}.sql.",
            f"It tells the time of the newest row, max(time) AS {NEWEST_COLUMN} (docs/benchmarks.md).",
        )
    givers: dict[str, Query] = {}
    for one in files:
        _check_query(one, () if one is newest else _SPANS)
        for name in gives(one) if one is not newest else ():
            if name in _SPANS or name in givers:
                by = givers[name].file if name in givers else "every run"
                raise BenchmarkError(f"{one.file} gives {name}, and so does {by}.", "Call the column otherwise.")
            givers[name] = one
    return found


def _check_names(questions: Sequence[Question], pages: Sequence[Page]) -> None:
    seen: set[str] = set()
    for name in [*(one.name for one in questions), *(page.name for page in pages)]:
        if not _NAME.fullmatch(name):
            raise BenchmarkError(
                f"A dashboard cannot be called {name[:63]!r}.", "Use small letters, digits and underscores."
            )
        if name in seen or RESERVED.fullmatch(name):
            what = "Two benchmarks are" if name in seen else "Another part of a run is"
            raise BenchmarkError(f"{what} called {name}.", "Call the question or the dashboard otherwise.")
        seen.add(name)


def _check_twins(questions: Sequence[Question]) -> None:
    names = {question.name: question for question in questions}
    for question in questions:
        if question.twin is None:
            continue
        twin = names.get(question.twin)
        file = question.variants[0].file
        if twin is None or twin.twin != question.name:
            raise BenchmarkError(
                f"The benchmark {question.name} names the twin {question.twin}, which does not name it.",
                f"Correct the header of {file}, or that of its twin.",
            )
        groups: tuple[Group, Group] = (question.group, twin.group)
        if groups.count("aggregate") != 1:
            raise BenchmarkError(
                f"Of the twins {question.name} and {twin.name}, one asks raw data and one an aggregate.",
                f"Give exactly one of them the group aggregate ({file}).",
            )
        kinds = [list(one.variants[0].columns.items()) for one in (question, twin)]
        if kinds[0] != kinds[1] or dict(kinds[0]).get(BUCKET, "timestamptz") != "timestamptz":
            raise BenchmarkError(
                f"The twins {question.name} and {twin.name} have other columns, so their answers cannot be compared.",
                f"Name the same columns in both headers, in one order; {BUCKET} is timestamptz ({file}).",
            )
