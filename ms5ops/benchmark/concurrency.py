"""Concurrency: how throughput and latency change from one client to a hundred and more, all asking without a pause."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ms5ops.benchmark import anchor, results, sampling
from ms5ops.benchmark.crowd import Driven, crowd
from ms5ops.benchmark.ingest import strained
from ms5ops.benchmark.options import Gathered, Work
from ms5ops.benchmark.records import Outcome, Unit
from ms5ops.benchmark.sampling import Sample
from ms5ops.benchmark.scratch import FOLDER
from ms5ops.benchmark.suite import bound
from ms5ops.errors import BenchmarkError
from ms5ops.queries import ANY_VERSION, query
from ms5ops.units import count_text

TARGET_MS = 100.0
"""Phase 4's targets: over 100 concurrent queries; recent data in under 100 ms (p95)."""
SAMPLES_KEPT = 20_000
"""Of each step; the figures are over all."""
WINDOW_S = 0.5
"""Throughput is sampled in windows about so long (own choice)."""
_NONE_MARKED = "No question that can be asked here is marked for many clients (many_clients: yes in its header)."
ERRORS_ALLOWED = 0.01
"""Own choice: where more of the queries have no answer, the times of the others say nothing for the whole."""
CLIENT_LIMIT_SHARE = 0.7
"""Own choice: from this share of this machine's processor time on, the clients themselves may be the limit."""


def measure(work: Work, gathered: Gathered) -> None:
    """For each number of clients the latency of an answer, and the throughput."""
    database, schema = work.site.read.database, work.site.read.schema
    levels = work.effort.clients
    try:
        strained(work.site.read, datetime.now(UTC))
    except BenchmarkError as error:
        for level in levels:
            _add_without(gathered, level, "not there", f"{error.happened} {error.next_step}")
        return
    statements = mix(work)
    if not statements:
        for level in levels:
            _add_without(gathered, level, "not there", _NONE_MARKED)
        return
    room = _room(work)
    with crowd(database.target, list(statements.values()), work.effort.statement_timeout_ms, max(levels)) as clients:
        for level in levels:
            if work.pace.stop():
                break
            name = f"concurrency_{level}"
            work.pace.say(f"{name}: {count_text(level)} clients on {schema}")
            if level > room:
                message = (
                    f"The server has room for {max(room, 0)} more sessions, and {level} clients do not fit. Raise"
                    " max_connections, or put a connection pooler in front."
                )
                _add_without(gathered, level, "not there", message)
                continue
            began = datetime.now(UTC)
            try:
                driven = clients.drive(level, work.effort.drive_s, work.options.seed)
            except BenchmarkError as error:  # a client process is gone, and with it the others' start
                for missed in levels[levels.index(level) :]:
                    _add_without(gathered, missed, "failed", f"{error.happened} {error.next_step}")
                return
            _add(gathered, level, began, driven, list(statements), mix_hash=work.site.suite.mix_hash)
            work.keep(lambda: gathered)


def mix(work: Work) -> dict[str, bytes]:
    """The statements that clients send, by question: the suite's ``of_many_clients`` that can be asked."""
    database, schema = work.site.read.database, work.site.read.schema
    there = anchor.relations(database, schema)
    with database.timed_session(work.effort.statement_timeout_ms) as session:
        return {
            question.name: session.statement(*bound(variant, schema, work.choice.parameters))
            for question in work.site.suite.of_many_clients
            if (variant := question.variant(there)) and work.choice.why_not(variant) is None
        }


def about(level: int) -> str:
    """What a step stands for, in one line."""
    return f"{count_text(level)} {'client' if level == 1 else 'clients'} asking for recent data all the time."


def windows(driven: Driven) -> list[float]:
    """Answers per second in each window of the time, by when they came; those that came after its end do not count."""
    number = max(1, round(driven.seconds / WINDOW_S))
    length = driven.seconds / number
    counts = [0] * number
    for _, at_s, took_ms in driven.latencies:
        window = int((at_s + took_ms / 1000) / length)
        if window < number:
            counts[window] += 1
    return [count / length for count in counts]


def _add(
    gathered: Gathered,
    level: int,
    began: datetime,
    driven: Driven,
    questions: Sequence[str],
    *,
    mix_hash: str | None = None,
) -> None:
    name = f"concurrency_{level}"
    errors, rates = sum(driven.errors.values()), windows(driven)
    asked = errors + len(driven.latencies)
    details = {
        "clients": level,
        "connected": driven.connected,
        "queries": len(driven.latencies),
        "queries_per_s": sum(rates) / len(rates),
        "errors": errors,
        "error_messages": dict(driven.errors),
        "mix": list(questions),
        "client_cpu_share": driven.cpu_share,
        "client_may_be_the_limit": driven.cpu_share > CLIENT_LIMIT_SHARE,
    }
    if errors > ERRORS_ALLOWED * asked:
        message = f"{errors} of {asked} queries had no answer: {max(driven.errors, key=driven.errors.__getitem__)}"
        gathered.add(
            results.without(
                name,
                "concurrency",
                about(level),
                unit="ms",
                outcome="failed",
                message=message,
                target=TARGET_MS,
                details=details,
            ),
            (),
        )
        return
    values = [took_ms for _, _, took_ms in driven.latencies]
    kept, step = sampling.thinned(
        [
            Sample(began + timedelta(seconds=at_s), took_ms, client=client)
            for client, at_s, took_ms in sorted(driven.latencies, key=lambda one: one[1])
        ],
        SAMPLES_KEPT,
    )
    latency = results.measured(
        name,
        "concurrency",
        about(level),
        values,
        "ms",
        target=TARGET_MS,
        details={**details, "kept_one_in": step},
        text_hash=mix_hash,
    )
    gathered.add(latency, kept)
    throughput = results.measured(
        f"{name}_throughput",
        "concurrency",
        about(level),
        rates,
        "queries/s",
        target=None,
        details=details,
        higher_is_better=True,
        text_hash=mix_hash,
    )
    gathered.add(throughput, [Sample(began, rate) for rate in rates])


def _add_without(gathered: Gathered, level: int, outcome: Outcome, message: str) -> None:
    units: dict[str, Unit] = {f"concurrency_{level}": "ms", f"concurrency_{level}_throughput": "queries/s"}
    for name, unit in units.items():
        gathered.add(
            results.without(name, "concurrency", about(level), unit=unit, outcome=outcome, message=message), ()
        )


def _room(work: Work) -> int:
    """How many more sessions the server admits; one is left for others."""
    row = work.site.read.database.row(query(FOLDER, "connections", ANY_VERSION).sql)
    return int(row["most"] - row["used"] - row["reserved"]) - 1
