# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""The five scripts of sql/phase4: the plan from the schema that MS5.0 comes with to the default policy, as text.

``make scripts`` writes them, and a test fails where they are not what this module makes. They are for a DBA with psql,
and the sandbox is filled by them. So their text must fit every server: what a plan would take from the server that it
reads (its version, its memory, its clock), these scripts find out when they run.
"""

import re
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ms5ops import paths
from ms5ops.database import Database
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.queries import Version
from ms5ops.rollout.operation import PHASES, Operation, Phase
from ms5ops.rollout.phases.compression import FOREIGN_KEYS_FREE_FROM
from ms5ops.rollout.phases.indexes import cut_off
from ms5ops.rollout.phases.settings import CACHE_SIZE_KEY, cache_size_by_server
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.records import Chunks, SettingState
from ms5ops.rollout.script import WIDTH, closed, comment_lines, rule, session_settings
from ms5ops.rollout.sql_text import interval, literal
from ms5ops.rollout.state import SERVER_SETTINGS, State, read_state
from ms5ops.sandbox import process

OLDEST: Version = (2, 11, 0)
"""The oldest TimescaleDB that ms5ops knows."""

FILES: Mapping[Phase, str] = {
    1: "phase4_01_hypertables.sql",
    2: "phase4_02_compression_policies.sql",
    3: "phase4_03_retention_policies.sql",
    4: "phase4_04_performance_indexes.sql",
    5: "phase4_05_continuous_aggregates.sql",
}

_MADE_BY = "Made by `make scripts` from ms5ops/policy/default.toml and the files it names: change those, not this one."

_STEPS = f"""
For the five tables as most installations have them: plain, with PRIMARY KEY (id), with rows or without. Run the five
steps in order, once, as the tables' owner, in the maintenance window. TimescaleDB {OLDEST[0]}.{OLDEST[1]} or later:
where versions or servers differ, the script finds out.

It ends at the first error; what was committed by then stays. For the rest then, and for a database in any other state,
`python -m ms5ops plan --sql` writes the script that fits. `python -m ms5ops plan` says afterwards whether anything is
missing.
"""

_ABOUT: Mapping[Phase, str] = {
    1: """
A conversion copies its table under an ACCESS EXCLUSIVE lock: nobody reads or writes it meanwhile, and it needs free
disk of about its own size. `python -m ms5ops apply` converts a large table beside its writers instead. One transaction
per table: what fails leaves that table as it was. Rows without a time are refused ("contains null values"): give them
one, or move them to another table.

The lock table must hold every new chunk and each of its indexes: with 1-hour chunks, 90 days are 2,160 chunks and about
6,500 locks, against max_locks_per_transaction * (max_connections + max_prepared_transactions).

The settings of the database, at the end, take its owner.

A backup comes first. There is no undo in place: the way back is a copy into a plain table.
""",
    2: """
Segment-by and order-by hold for chunks that are compressed from then on. What is old enough is compressed here, one
commit per chunk, newest first, before the policy is made whose job would do the same beside it.

The server warns that column "id" should be used for segmenting or ordering, because it is in the primary key. That is
known and harmless here: rows are not inserted with ids of their own choosing, so no look-up by id is needed.
""",
    3: """
THIS DELETES DATA, later and for good: chunks whose newest row is older than the period are dropped. The first run is
at least a day away, so that step 5 has carried the old rows into the aggregates by then: run that today. The aggregates
have no retention of their own, they stay.
""",
    4: """
WITH (timescaledb.transaction_per_chunk) builds chunk by chunk and holds up the writers of one chunk at a time, outside
a transaction (CONCURRENTLY is refused on hypertables). A build that is cut off leaves an invalid index: drop it first.

Every index counts once per chunk, in disk, in insert time and in locks: metric_hist has 2,160 chunks in 90 days, so it
gets three and no more. ix_metric_hist_def_ts, which MS5.0 came with, has the same key as idx_metric_hist_metric_ts_desc
and becomes superfluous. Watch it in v_index_usage for a week, then:

  DROP INDEX factory_telemetry.ix_metric_hist_def_ts;

idx_metric_hist_realtime begins at a literal instant, as now() cannot stand in an index predicate. Older chunks get an
empty index, new chunks a full one, and a job takes it away from chunks that have left the window: so the window moves
without the index ever being built anew.
""",
    5: """
  metric_hist        -> metric_hist_1min -> metric_hist_1hour -> metric_hist_1day
                     -> metric_hist_1hour_percentiles
  oee_calculations   -> oee_hourly       -> oee_daily         -> oee_weekly
  energy_consumption -> energy_hourly    -> energy_daily

Outside a transaction where a refresh is: it cannot run inside one. The first filling reads all raw rows once: minutes
for tens of millions. It goes bottom up and before the policies, whose jobs would run into it.

Buckets are in UTC; weeks begin on Monday. Each level carries what combines exactly (count, sum, sum of squares, min,
max, last) and derives the mean and the standard deviation from these: an average of averages would be wrong wherever
buckets hold unequal counts. Percentiles do not combine at all, so they are taken from the raw samples, at the hour.

Every aggregate has materialized_only = false: what the policy has not reached yet is computed when it is read. Two
rules hold for each refresh policy: start_offset + schedule_interval stays within the retention of the source (a window
that reaches past dropped chunks would erase what was aggregated from them), and start_offset - end_offset covers at
least two buckets, or the server refuses it. Rows that arrive later than start_offset stay out until someone refreshes
that span by hand.
""",
}


def scripts(state: State, policy: PolicySet) -> dict[str, str]:
    """The text of each file by its name, from the state of a database with MS5.0's plain tables.

    Rows, sizes, settings, clock and version of that database leave no trace: two of them give the same text.
    """
    found = _as_found(state)
    plan = make_plan(found, policy)
    older = make_plan(replace(found, version=OLDEST), policy)
    texts = {}
    for phase, file in FILES.items():
        lines = [*_head(phase, file)]
        if phase == 1:
            lines += _refusal(policy)
        for one in plan.of_phase(phase):
            lines += _operation(one, _statements(one, older, found, policy))
        if phase == 1:
            lines += _advice(plan)
        texts[file] = "\n".join([*lines, ""])
    return texts


def read_fresh_state(folder: Path, policy: PolicySet) -> State:
    """The state of a new embedded TimescaleDB in ``folder`` with MS5.0's plain tables and no rows."""
    process.start(folder, scheduler=False)
    writing, reading = Database(process.target(folder), "write"), Database(process.target(folder))
    try:
        for name in ("ms5_tables", "ms5_legacy", "ms5_foreign_keys"):
            writing.execute((paths.SQL / f"schema/{name}.sql").read_text(encoding="utf-8"))
        return read_state(connect_server(reading), policy)
    finally:
        writing.close()
        reading.close()
        process.stop(folder)


def write_scripts(folder: Path = paths.SQL / "phase4") -> None:
    """Write the five files, for the policy that comes with ms5ops."""
    policy = load_policy()
    with tempfile.TemporaryDirectory() as temporary:
        state = read_fresh_state(Path(temporary) / "sandbox", policy)
    for name, text in scripts(state, policy).items():
        (folder / name).write_text(text, encoding="utf-8")


def _as_found(state: State) -> State:
    """The state with what one server has and another has not made alike.

    Tables count as having rows, so that what is old enough is compressed; nothing is set yet, so that every setting
    is planned and all advice is given.
    """
    return replace(
        state,
        version=FOREIGN_KEYS_FREE_FROM,
        edition="community",
        tables=tuple(
            replace(one, rows=1, rows_without_time=None, size_bytes=None, index_bytes=None, chunks=Chunks())
            for one in state.tables
        ),
        settings=(),
        database_settings={},
        server_settings=tuple(
            SettingState(name, None, 1.0 if name == "shared_buffers" else 0.0, None) for name in SERVER_SETTINGS
        ),
        is_superuser=True,
        owns_database=True,
        may_create=True,
        read_at="2000-01-01T00:00:00+00:00",
    )


def _statements(one: Operation, older: Plan, state: State, policy: PolicySet) -> Iterator[str]:
    """What psql is to run for an operation, each with its end; outside BEGIN and COMMIT."""
    if one.key == CACHE_SIZE_KEY:
        share = policy.settings.database.effective_cache_size_share
        assert share is not None  # noqa: S101 - it is why the operation is planned
        yield f"{cache_size_by_server(share)};"
        return
    before = next(other.statements for other in older.operations if other.key == one.key)
    index = next((each for each in policy.active_indexes if one.key == f"04.{each.name}.index"), None)
    for text, former in zip(map(closed, one.statements), map(closed, before), strict=True):
        if text != former:
            yield _by_version(former, text)
        elif index is not None and index.window is not None and cut_off(state, index) in text:
            yield _moving(text, literal(cut_off(state, index)), interval(index.window))
        else:
            yield f"{_wrapped(text)};"


def _by_version(former: str, text: str) -> str:
    """The one statement on old servers, the other on new ones."""
    bound = ", ".join(map(str, FOREIGN_KEYS_FREE_FROM[:2]))
    return (
        "DO $block$\nBEGIN\n"
        r"    IF (SELECT regexp_match(e.extversion, '^(\d+)\.(\d+)')::integer[] FROM pg_extension e"
        f"\n        WHERE e.extname = 'timescaledb') < ARRAY[{bound}] THEN\n"
        f"        {_wrapped(former, 12)};\n    ELSE\n        {_wrapped(text, 12)};\n    END IF;\nEND\n$block$;"
    )


def _moving(text: str, instant: str, window: str) -> str:
    """The statement with an instant that is reckoned when it runs: now() cannot stand in an index predicate."""
    lines = _wrapped(text.replace("%", "%%").replace(instant, "%L"), 0).split("\n")
    template = "\n    ".join(literal(f"{line} ") for line in lines)  # constants on lines of their own are one
    return f"SELECT format(\n    {template},\n    date_trunc('hour', now(), 'UTC') - {window})\n\\gexec"


def _wrapped(text: str, indent: int = 4) -> str:
    """A statement with its long lines broken after commas and before keywords; a body of its own is left as it is."""
    if "\n" in text and not text.startswith("DO "):
        return text
    return "\n".join(_broken(line, indent if number == 0 else None) for number, line in enumerate(text.split("\n")))


def _broken(line: str, indent: int | None) -> str:
    """The line in pieces of at most WIDTH; ``indent`` is of the pieces, None for four more than its own."""
    bare = line.lstrip()
    own = len(line) - len(bare)
    further = own + 4 if indent is None else indent
    lines, current = [], ""
    for piece in _PIECES.findall(bare):
        if current and further + len(current) + len(piece) > WIDTH:
            lines.append(current.rstrip())
            current = ""
        current += piece
    return " " * own + f"\n{' ' * further}".join([*lines, current])


_PIECES = re.compile(
    # Up to the blank after a comma, or before a keyword that begins a clause; quoted text is one.
    r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^'",]|,(?!\s))+?"""
    r"""(?:,\s+|\sIS\s(?=')|\s(?=(?:FROM|WHERE|AND|ORDER BY|INCLUDE|WITH|PRIMARY KEY|USING|SET)\b)|$)"""
)


def _head(phase: Phase, file: str) -> Iterator[str]:
    yield f"-- Phase 4, step {phase} of {len(PHASES)}: {PHASES[phase]}"
    yield "--"
    yield f"--   psql -X -f sql/phase4/{file}"
    yield "--"
    yield from _prose("\n\n".join(text.strip("\n") for text in (_MADE_BY, _STEPS, _ABOUT[phase])))
    yield ""
    yield from session_settings()


def _prose(text: str) -> Iterator[str]:
    """As a comment, paragraphs filled; what is indented stays as it is."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield "--"
        lines = paragraph.split("\n") if paragraph.startswith(" ") else textwrap.wrap(paragraph, WIDTH - 3)
        yield from (f"-- {line}" for line in lines)


def _refusal(policy: PolicySet) -> Iterator[str]:
    names = ", ".join(literal(table.name) for table in policy.active_tables)
    listed = f"\n{' ' * 20}".join(textwrap.wrap(names, WIDTH - 20))
    yield ""
    yield "-- What is a hypertable already was begun with, or is the other kind of installation."
    yield (
        "DO $block$\nBEGIN\n    IF EXISTS (SELECT FROM timescaledb_information.hypertables h\n"
        f"               WHERE h.hypertable_schema = {literal(policy.schema_name)} AND h.hypertable_name IN\n"
        f"                   ({listed})) THEN\n"
        "        RAISE EXCEPTION 'these scripts are for plain tables, and some here are hypertables already'\n"
        "            USING HINT = 'The script that fits: python -m ms5ops plan --sql';\n"
        "    END IF;\nEND\n$block$;"
    )


def _operation(one: Operation, statements: Iterator[str]) -> Iterator[str]:
    yield ""
    yield rule(one.key)
    yield from comment_lines(one.title)
    if one.kind not in ("create_index", "compress_chunks"):  # of these the title says it all
        yield from comment_lines(one.desired)
    if one.lock.mode != "none" and one.kind != "convert":  # of a conversion the head of the script tells more
        yield from comment_lines(f"Lock: {one.lock.mode} on {one.lock.on}, for {one.lock.duration}.")
    if one.destroys:
        yield from comment_lines(f"THIS DESTROYS DATA: {one.destroys}.")
    undo = one.inverse.statements
    if undo and len(undo) <= 2 and not any("\n" in text for text in undo):
        yield from comment_lines(f"Undo: {' '.join(f'{text};' for text in undo)}")
    yield f"\\echo {literal(one.title.partition(': ')[0])}"
    yield from ("BEGIN;", *statements, "COMMIT;") if one.transactional else statements


def _advice(plan: Plan) -> Iterator[str]:
    yield ""
    yield rule("For the administrator: not executed")
    yield "-- At least these; all but the last need a restart, so ALTER DATABASE cannot set them."
    for one in plan.advice:
        yield from (f"--   {line}" if line.startswith("--") else f"--   {line};" for line in one.statements)


if __name__ == "__main__":
    write_scripts()
