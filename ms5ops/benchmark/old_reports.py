"""Reports of the shell benchmark that came before this tool: JSON files and monthly text files.

They hold an average and a median per query and no samples: what is made of them is marked as a summary, and compared
only as such. The names of the queries stay as they are.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ms5ops.benchmark import old_json, old_text
from ms5ops.benchmark.old_report import OldQuery, OldReport
from ms5ops.benchmark.records import Result, Run, RunHeader
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.errors import BenchmarkError

LARGEST_BYTES = 5_000_000
"""Own choice: a report is some kilobytes; what is larger is something else, and is not read."""
ACTOR = "shell benchmark"
SUITE = "old shell benchmark"
_NAMESPACE = uuid.UUID("6f1c7c3e-5d0b-5c39-9a55-0f6a0d1f2b7a")
"""Own, fixed for ever: the run ids of imported reports are made with it."""


@dataclass(frozen=True)
class Found:
    """A report as a run. ``environment`` is what the report calls it, None where it does not tell."""

    run: Run
    environment: str | None


def read_report(file: Path, sources: Mapping[str, str] | None = None) -> Found:
    """Read one report; the same content gives the same run id wherever the file lies.

    ``sources``: what the history calls the databases (``environments.source_id``) by the environments' names, so that
    a report stands with the later runs of its database. Raises BenchmarkError naming file, key and line.
    """
    content = _content(file)
    text = _text(file, content)
    report = old_json.read(text, file) if text.lstrip().startswith(("{", "[")) else old_text.read(text, file)
    run_id = str(uuid.uuid5(_NAMESPACE, hashlib.sha256(content).hexdigest()))
    return Found(_run(report, run_id, file.name, sources or {}), report.environment)


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise BenchmarkError(
                f"{file} has {file.stat().st_size:,} bytes, which is too large for a report.",
                "Name a JSON or text report of the shell benchmark, or the folder of an export.",
            )
        return file.read_bytes()
    except OSError as error:
        raise BenchmarkError(
            f"{file} cannot be read: {error.strerror}.", "Check the name and its permissions."
        ) from error


def _text(file: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or not text.strip():
        raise BenchmarkError(
            f"{file} is {'empty' if not content.strip() else 'no text file (UTF-8)'}.",
            "Name a JSON or text report of the shell benchmark, or the folder of an export.",
        )
    return text


def _run(report: OldReport, run_id: str, name: str, sources: Mapping[str, str]) -> Run:
    environment = report.environment or "not named"
    header = RunHeader(
        run_id=run_id,
        source=sources.get(environment, f"imported report of {environment}"),
        environment=environment,
        origin="measured",
        label=None,
        actor=ACTOR,
        started_at=report.taken_at,
        finished_at=report.taken_at,
        anchor=report.taken_at,
        suite_hash=SUITE,
        seed=0,
        is_quick=False,
        is_partial=False,
        is_summary=True,
        note=_note(report, name),
        surroundings=None,
    )
    return Run(header, tuple(_result(query) for query in report.queries), samples_frame({}))


def _note(report: OldReport, name: str) -> str:
    parts = [f"Imported from {name}."]
    if report.time_note:
        parts.append(report.time_note)
    if report.parameters:
        parts.append(f"Parameters: {_told(report.parameters)}.")
    if report.storage:
        parts.append(f"Storage: {_told(report.storage)}.")
    return " ".join(parts)


def _told(values: Mapping[str, str]) -> str:
    return "; ".join(f"{name} = {value}" for name, value in values.items())


def _result(query: OldQuery) -> Result:
    is_measured = query.median_ms is not None or query.average_ms is not None
    return Result(
        benchmark=query.name,
        kind="query",
        group=None,
        about="A query of the old shell benchmark.",
        outcome="ok" if is_measured else "failed",
        message=None if is_measured else "The report gives no time for it, or 0 ms, which no query takes.",
        unit="ms",
        higher_is_better=False,
        samples=0,
        rows=None,
        text_hash=None,
        target_p95=None,
        twin=None,
        mean=query.average_ms,
        median=query.median_ms,
        minimum=query.minimum_ms,
        maximum=query.maximum_ms,
        p95=query.p95_ms,
        p99=None,
        details={} if query.runs is None else {"runs": query.runs},
    )
