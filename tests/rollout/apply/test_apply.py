"""Applying: what is done, what stops it, and that it goes on from wherever it ended."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ms5ops.database import Database
from ms5ops.errors import RolloutError
from ms5ops.rollout import journal, report
from ms5ops.rollout.executor import apply, give_up, resume
from ms5ops.rollout.running import Progress, Stop
from tests.rollout.apply.handmade import (
    VERSIONS,
    WHOLE,
    WRONG,
    Plan,
    apply_and_die,
    apply_and_die_after,
    catalogue,
    conditions,
    index,
    outside,
    when_stale,
)

pytestmark = pytest.mark.xdist_group("applying")


def test_every_kind_of_operation_is_done_verified_and_journalled(probe: Database) -> None:
    seen: list[Progress] = []
    outcome = apply(probe, WHOLE, conditions(report=seen.append), server_versions=VERSIONS)
    assert (outcome.status, outcome.left, outcome.failed) == ("done", (), None), outcome
    assert outcome.advice == ("01.workers",)
    told = report.read_report(probe, journal.deployment(probe))
    assert "advised; not so yet" in told.markdown()
    assert any("it is not so yet" in one.message for one in told.events)
    with probe.session() as session:
        rows = journal.operations(session, outcome.deployment)
        assert [row.status for row in rows] == ["done"] * 7 + ["skipped"]
        assert all(row.finished_at for row in rows)
        compressed = probe.rows(
            "SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = 'probe' AND is_compressed ORDER BY range_start DESC"
        )
        newest_first = tuple(one["chunk"] for one in compressed)
        assert (len(newest_first), journal.pieces(session, outcome.deployment, 4)) == (5, newest_first)
        assert [row.operation for row in rows] == [*WHOLE.operations, *WHOLE.advice]
    assert "rows 2304" in catalogue(probe)
    refreshed = [one.fraction for one in seen if one.key == "05.refresh" and one.fraction is not None]
    assert refreshed == sorted(refreshed)
    assert len(refreshed) > 5


def test_a_failure_in_the_middle_leaves_nothing_of_its_transaction_and_stops_the_rest(probe: Database) -> None:
    plan = Plan((index("idx_a", "ts"), WRONG, index("idx_c", "value")))
    outcome = apply(probe, plan, conditions(), server_versions=VERSIONS)
    assert (outcome.status, outcome.done, outcome.failed) == ("failed", ("04.idx_a",), "04.wrong")
    assert outcome.left == ("04.wrong", "04.idx_c")
    assert "division by zero" in (outcome.reason or "")
    assert "apply --resume" in outcome.next_step
    assert "half" not in catalogue(probe)
    assert "idx_c" not in catalogue(probe)


def test_an_operation_that_does_not_bring_what_it_should_fails_and_is_rolled_back(probe: Database) -> None:
    lying = replace(index("idx_a", "ts"), verification=replace(index("idx_a", "ts").verification, expected="2"))
    outcome = apply(probe, Plan((lying,)), conditions(), server_versions=VERSIONS)
    assert outcome.status == "failed"
    assert "'1' where '2' was expected" in (outcome.reason or "")
    assert "idx_a" not in catalogue(probe)


def test_a_failing_statement_outside_a_transaction_can_be_resumed_once_mended(probe: Database) -> None:
    probe.execute("CREATE TABLE probe.idx_b ()")  # in the way: IF NOT EXISTS then skips the index
    outcome = apply(probe, Plan((outside("idx_b", "value"),)), conditions(), server_versions=VERSIONS)
    assert outcome.status == "failed"
    assert journal.deployment(probe).note is not None
    probe.execute("DROP TABLE probe.idx_b")
    again = resume(probe, conditions(), journal.deployment(probe))
    assert again.status == "done"
    assert journal.deployment(probe).note is None  # what was got over is in the events
    assert "idx_b" in catalogue(probe)


def test_what_a_failed_operation_requires_is_respected(probe: Database) -> None:
    plan = Plan((index("idx_a", "ts"), replace(index("idx_c", "value"), requires=("04.idx_d",)), index("idx_d", "ts")))
    outcome = apply(probe, plan, conditions(), server_versions=VERSIONS)
    assert outcome.failed == "04.idx_c"
    assert "04.idx_d" in (outcome.reason or "")


def test_an_open_deployment_refuses_another_until_it_is_given_up(probe: Database) -> None:
    apply(probe, Plan((WRONG,)), conditions(), server_versions=VERSIONS)
    with pytest.raises(RolloutError, match="deployments --cancel 1"):
        apply(probe, WHOLE, conditions(), server_versions=VERSIONS)
    assert give_up(probe, conditions(), journal.deployment(probe)) is True
    assert apply(probe, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS).status == "done"


@pytest.mark.parametrize("key", [one.key for one in WHOLE.operations])
def test_killed_after_every_operation_it_is_resumed(probe: Database, key: str, dies) -> None:  # type: ignore[no-untyped-def]
    dies(apply_and_die_after, probe.target, WHOLE, key, True)
    found = journal.deployment(probe)
    assert found.status == "running"
    outcome = when_stale(lambda: resume(probe, conditions(), found))
    assert (outcome.status, outcome.left) == ("done", ())


@pytest.mark.parametrize("number", range(5, 250, 19))
def test_killed_before_any_statement_it_is_resumed(probe: Database, number: int, dies) -> None:  # type: ignore[no-untyped-def]
    dies(apply_and_die, probe.target, WHOLE, number, True)
    begun = journal.deployments(probe)
    if begun:
        outcome = when_stale(lambda: resume(probe, conditions(), begun[0]))
    else:  # it had not come so far
        outcome = when_stale(lambda: apply(probe, WHOLE, conditions(), server_versions=VERSIONS))
    assert (outcome.status, outcome.left) == ("done", ())


def test_paused_from_another_session_between_two_pieces_and_resumed(probe: Database) -> None:
    def pause(progress: Progress) -> None:
        if progress.key == "02.backlog" and progress.fraction == 0.4:
            with probe.session() as other:
                journal.ask(other, journal.deployment(other).id, "pause", conditions().who)

    outcome = apply(probe, WHOLE, conditions(report=pause), server_versions=VERSIONS)
    assert outcome.status == "paused"
    assert catalogue(probe).count("true") - 1 == 2  # two chunks, and the hypertable itself
    assert resume(probe, conditions(), journal.deployment(probe)).status == "done"


def test_cancelled_from_another_session(probe: Database) -> None:
    def cancel(progress: Progress) -> None:
        if progress.key == "02.enable" and progress.fraction == 1.0:
            with probe.session() as other:
                journal.ask(other, journal.deployment(other).id, "cancel", conditions().who)

    outcome = apply(probe, WHOLE, conditions(report=cancel), server_versions=VERSIONS)
    assert (outcome.status, outcome.done) == ("cancelled", ("04.idx_a", "02.enable"))
    with pytest.raises(RolloutError, match="cancelled"):
        resume(probe, conditions(), journal.deployment(probe))


def test_a_closing_maintenance_window_pauses(probe: Database) -> None:
    instants = iter([datetime(2026, 1, 1, 5, 59, tzinfo=UTC)] * 2 + [datetime(2026, 1, 1, 6, 1, tzinfo=UTC)] * 9)
    outcome = apply(
        probe,
        WHOLE,
        conditions(window=lambda instant: instant.hour < 6, clock=lambda: next(instants)),
        server_versions=VERSIONS,
    )
    assert (outcome.status, outcome.done) == ("paused", ("04.idx_a", "02.enable"))
    assert "window" in (outcome.reason or "")


def test_a_stop_ends_a_long_statement_and_pauses(probe: Database) -> None:
    stop = Stop()

    def report(progress: Progress) -> None:
        if progress.key == "04.slow" and progress.fraction == 0.0:
            stop.request("Ctrl-C", 0.3)

    slow = replace(index("slow", "ts"), statements=("SELECT count(*) FROM generate_series(1, 10000000000)",))
    outcome = apply(probe, Plan((slow,)), conditions(stop=stop, report=report), server_versions=VERSIONS)
    assert (outcome.status, outcome.reason, outcome.left) == ("paused", "Ctrl-C", ("04.slow",))
