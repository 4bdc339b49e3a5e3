"""After a deployment: the technical criteria of Phase 4 (phase4.md, "Validation criteria"), from the readings."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from ms5ops.database import Database
from ms5ops.errors import PrivilegeMissing
from ms5ops.observe.compression import SAVED_SHARE_WANTED, TINY_CHUNK_BYTES, TableCompression
from ms5ops.observe.jobs import JobKind, job_state, policy_of
from ms5ops.observe.overview import Overview, read_all
from ms5ops.observe.server import Server
from ms5ops.policy.criteria import least
from ms5ops.policy.document import PolicySet
from ms5ops.rollout import journal, latency
from ms5ops.rollout.check import Check, asked, judged
from ms5ops.rollout.operation import PHASES, Phase
from ms5ops.units import bytes_text, duration_text, instant_text, interval_text, percent_text

JUDGED_AFTER = timedelta(days=7)
"""Spec: compression over 70 % after 7 days."""


@dataclass(frozen=True)
class _Found:
    """What the judgements are made from."""

    server: Server
    policy: PolicySet
    overview: Overview

    @property
    def tables(self) -> list[str]:
        return [self.policy.qualified(one.name) for one in self.policy.active_tables]


@dataclass(frozen=True)
class _Criterion:
    """What is asked, without the answer; ``phase`` is the one that brings it about (None: none of them alone)."""

    name: str
    title: str
    expected: str
    phase: Phase | None = None

    def judged(self, found: str, good: bool, *evidence: str, advice: str) -> Check:
        return judged(self.name, self.title, self.expected, found, good, *evidence, advice=advice)

    def unknown(self, found: str, *evidence: str, advice: str) -> Check:
        return Check(self.name, self.title, self.expected, found, "could not check", evidence, advice)


_Judge = Callable[[_Criterion, _Found], Check]


def postchecks(
    server: Server, policy: PolicySet, phases: Collection[int] = PHASES, overview: Overview | None = None
) -> tuple[Check, ...]:
    """The eight criteria in the spec's order, or those that ``phases`` bring about.

    ``overview``: a reading of the server to judge from; None: one is made. What the server refuses to tell is a check
    that could not be made.

    What the policy set asks nothing of (no aggregates, nothing ever dropped) is not among them.

    Raises only where the server cannot be reached at all.
    """
    found = _Found(server, policy, overview or read_all(server))
    return tuple(
        asked(one.name, one.title, one.expected, partial(judge, one, found))  # a reading's error is kept till now
        for one, judge, wanted in _criteria(found)
        if wanted and (one.phase is None or one.phase in phases)
    )


def _criteria(found: _Found) -> tuple[tuple[_Criterion, _Judge, int], ...]:
    """The criteria in the spec's order, each with how many things it is about: none, and it is not asked."""
    tables, compressed, dropped = len(found.tables), len(_with(found, "compression")), len(_with(found, "retention"))
    wanted = least(found.policy)
    return (
        (
            _Criterion("chunk_intervals", "Chunk intervals", f"{_hypertables(tables)} with the set's interval", 1),
            _intervals,
            tables,
        ),
        (
            _Criterion("compression_policies", "Compression policies", f"{compressed} active and running", 2),
            _compressing,
            compressed,
        ),
        (_Criterion("retention_policies", "Retention policies", f"{dropped} scheduled", 3), _retaining, dropped),
        (
            _Criterion("indexes", "Performance indexes", f"at least {wanted['indexes']}, all whole", 4),
            _indexes,
            wanted["indexes"],
        ),
        (
            _Criterion(
                "aggregates", "Continuous aggregates", f"at least {wanted['aggregates']} with refresh policies", 5
            ),
            _aggregates,
            wanted["aggregates"],
        ),
        (_Criterion("recent_query", "Recent data", f"median under {latency.RECENT_MS:.0f} ms"), _recent, tables),
        (
            _Criterion("aggregate_query", "Aggregates", f"median under {latency.AGGREGATE_MS:.0f} ms", 5),
            _aggregated,
            wanted["aggregates"],
        ),
        (
            _Criterion(
                "compression", "Compression", f"over {percent_text(SAVED_SHARE_WANTED)} saved, nothing overdue", 2
            ),
            _saved,
            compressed,
        ),
    )


def _hypertables(count: int) -> str:
    return f"{count} hypertable{'' if count == 1 else 's'}"


def _with(found: _Found, kind: JobKind) -> list[str]:
    """The tables for which the set wants such a policy."""
    ages = found.policy.compress_after if kind == "compression" else found.policy.drop_after
    return [found.policy.qualified(one.name) for one in found.policy.active_tables if ages(one.name) is not None]


def _intervals(asked_for: _Criterion, found: _Found) -> Check:
    tables = {one.qualified: one for one in found.overview.tables.get()}
    wrong = []
    for wanted in found.policy.active_tables:
        table = tables.get(found.policy.qualified(wanted.name))
        if table is None or table.kind != "hypertable":
            wrong.append(f"{wanted.name}: {table.kind if table else 'missing'}")
        elif table.chunk_interval != wanted.chunk_interval:
            actual, right = interval_text(table.chunk_interval), interval_text(wanted.chunk_interval)
            wrong.append(f"{wanted.name}: {actual} instead of {right}")
    good = len(found.tables) - len(wrong)
    return asked_for.judged(f"{good} of {len(found.tables)}", not wrong, *wrong, advice="Apply phase 1.")


def _compressing(asked_for: _Criterion, found: _Found) -> Check:
    return _policies(asked_for, found, "compression", "Apply phase 2; Jobs says why one fails.")


def _retaining(asked_for: _Criterion, found: _Found) -> Check:
    return _policies(asked_for, found, "retention", "Apply phase 3.")


def _policies(asked_for: _Criterion, found: _Found, kind: JobKind, advice: str) -> Check:
    """Each table that shall have one has a policy that is scheduled and whose last run did not fail.

    FeatureMissing on Apache edition.
    """
    found.server.require_community(f"A {kind} policy")
    wrong = []
    tables = _with(found, kind)
    for table in tables:
        job = policy_of(found.overview.jobs.get(), kind, table)
        state = job_state(job, found.overview.now, found.overview.server.started_at) if job else None
        if job is None:
            wrong.append(f"{table}: none")
        elif not job.scheduled or (kind == "compression" and state in ("failing", "never ran")):
            wrong.append(f"{table}: job {job.job_id} is {state}")
    good = len(tables) - len(wrong)
    return asked_for.judged(f"{good} of {len(tables)}", not wrong, *wrong, advice=advice)


def _indexes(asked_for: _Criterion, found: _Found) -> Check:
    there = {one.name: one for one in found.overview.indexes.get().indexes if one.schema == found.policy.schema_name}
    wanted = [one.name for one in found.policy.active_indexes]
    missing = [f"{one}: missing" for one in wanted if one not in there]
    broken = [f"{one}: broken" for one in wanted if one in there and there[one].is_broken]
    whole = len(wanted) - len(missing) - len(broken)
    moving = [one.name for one in found.policy.active_indexes if one.window is not None]
    if found.server.edition == "apache" and not broken and missing == [f"{one}: missing" for one in moving]:
        return asked_for.unknown(
            f"{whole} whole, all that this edition allows",
            advice=f"{', '.join(moving)} needs a job to move its cut-off, and so the Community edition.",
        )
    good = whole >= least(found.policy)["indexes"] and not broken
    return asked_for.judged(f"{whole} whole", good, *missing, *broken, advice="Apply phase 4.")


def _aggregates(asked_for: _Criterion, found: _Found) -> Check:
    there = {one.aggregate: one for one in found.overview.aggregates.get()}
    wrong, good = [], 0
    for wanted in found.policy.active_aggregates:
        one = there.get(found.policy.qualified(wanted.name))
        if one is None or not one.has_policy or not one.scheduled:
            wrong.append(f"{wanted.name}: {'missing' if one is None else 'no refresh policy that is scheduled'}")
        else:
            good += 1
    return asked_for.judged(
        f"{good} with policies", good >= least(found.policy)["aggregates"], *wrong, advice="Apply phase 5."
    )


def _recent(asked_for: _Criterion, found: _Found) -> Check:
    return _latency(asked_for, found, latency.recent(found.policy, found.overview.tables.get()), latency.RECENT_MS)


def _aggregated(asked_for: _Criterion, found: _Found) -> Check:
    found.server.require_community("A continuous aggregate")
    asked = latency.aggregated(found.policy, found.overview.tables.get())
    return _latency(asked_for, found, asked, latency.AGGREGATE_MS)


def _latency(asked_for: _Criterion, found: _Found, asked: latency.Asked | None, budget_ms: float) -> Check:
    if asked is None:
        return asked_for.unknown("the aggregate to ask is not there", advice="Apply phase 5.")
    measured = latency.measure(found.server, asked, budget_ms)
    if measured is None:
        return asked_for.unknown(
            f"{asked.source.name} has no row of the last {latency.WITHIN[-1]}",
            advice="Check that telemetry is coming in.",
        )
    if not measured.rows:
        return asked_for.unknown(
            f"{asked.relation} has no rows to ask for: {measured.of}",
            advice="Check that telemetry is coming in, and that the aggregate is refreshed.",
        )
    times = ", ".join(f"{one:.1f}" for one in measured.samples)
    planning = measured.planning_ms
    return asked_for.judged(
        f"{measured.median_ms:.1f} ms",
        measured.median_ms < budget_ms,
        f"{latency.RUNS} runs on one connection: {times} ms, {measured.rows} rows each",
        f"{asked.relation}: {measured.of}",
        *([] if planning is None else [f"planned once more, without running it: {planning:.1f} ms"]),
        advice=latency.slow_advice(measured.median_ms, planning or 0.0, found.server.version),
    )


def _saved(asked_for: _Criterion, found: _Found) -> Check:
    records = [one for one in found.overview.compression.get() if one.table in found.tables]
    since = asked_since(found.server.database)
    evidence = [
        f"{one.table}: {percent_text(one.saved_share)} saved in {one.compressed_chunks} of {one.chunks} chunks, "
        f"{one.backlog_chunks} old enough and not compressed"
        for one in records
    ]
    saving = judge_saving(records, since, found.overview.now)
    if saving.good is None:
        return asked_for.unknown(saving.found, *evidence, advice=saving.advice)
    return asked_for.judged(saving.found, saving.good, *evidence, advice=saving.advice)


def asked_since(reader: Database) -> datetime | None:
    """Since when the newest deployment that changed compression has run; None where the journal tells of none."""
    try:
        for one in journal.deployments(reader):
            statuses = journal.statuses(reader, one.id)
            if any(key.startswith("02.") and status == "done" for key, status in statuses.items()):
                return one.started_at
    except PrivilegeMissing:
        return None  # a reading role need not see the journal: the criterion is then judged as it stands
    return None


@dataclass(frozen=True)
class Saving:
    """What compression saves, judged: ``good`` is None where it cannot be judged yet; ``found`` says why."""

    found: str
    good: bool | None
    advice: str


def judge_saving(records: Sequence[TableCompression], since: datetime | None, now: datetime) -> Saving:
    """Over 70 % saved and no chunk overdue (spec: "after 7 days").

    Too little is held against the policy only once it has had its 7 days (``since``: when it was applied, None: longer
    ago than that), and only on tables whose chunks are large enough to tell: under ``TINY_CHUNK_BYTES`` on average,
    the fixed pages of a compressed chunk and of its indexes outweigh the rows. An overdue chunk fails at any time.
    """
    late, waiting = sum(one.late_chunks for one in records), sum(one.backlog_chunks for one in records)
    if late:
        advice = "The compression job should have done them: Jobs says why it did not."
        return Saving(f"{percent_text(_share(records))} saved, {late} chunks overdue", False, advice)
    if not any(one.before_bytes for one in records):
        return _nothing_yet(waiting)
    large = [one for one in records if one.compressed_chunks and _chunk_bytes(one) >= TINY_CHUNK_BYTES]
    share = max(_share(records), _share(large))  # a few tiny chunks do not spoil what the large ones save
    where = f" (chunks of {bytes_text(TINY_CHUNK_BYTES)} and more)" if share > _share(records) else ""
    if share > SAVED_SHARE_WANTED:
        return Saving(f"{percent_text(share)} saved{where}, nothing overdue", True, "")
    if not large:
        largest = max(_chunk_bytes(one) for one in records if one.compressed_chunks)
        return Saving(
            f"not measured yet: {percent_text(share)} saved so far, in chunks of {bytes_text(round(largest))} at most",
            None,
            f"There is too little data to judge: chunks need {bytes_text(TINY_CHUNK_BYTES)} for compression to show.",
        )
    if since is not None and now - since < JUDGED_AFTER:
        age = duration_text((now - since).total_seconds())
        return Saving(
            f"not measured yet: {percent_text(share)} saved so far, {age} after it was applied",
            None,
            f"It is judged from {instant_text(since + JUDGED_AFTER)} on: chunks from before keep their former length.",
        )
    return Saving(
        f"{percent_text(share)} saved{where}, nothing overdue",
        False,
        "Compression says which chunks compress poorly and why: mostly too few rows per segment and chunk.",
    )


def _nothing_yet(waiting: int) -> Saving:
    if waiting:
        return Saving(
            f"not measured yet: nothing compressed, {waiting} chunks wait for the next run",
            None,
            "Check again when the compression jobs have run.",
        )
    return Saving("no chunk is old enough", None, "Check again when the first chunks are past their age.")


def _share(records: Sequence[TableCompression]) -> float:
    """Of the bytes before, what is saved; 0 where nothing is compressed."""
    before = sum(one.before_bytes for one in records)
    return 1 - sum(one.after_bytes for one in records) / before if before else 0.0


def _chunk_bytes(one: TableCompression) -> float:
    return one.before_bytes / one.compressed_chunks
