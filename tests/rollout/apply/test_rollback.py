"""Rolling back: what was there before is there again, what cannot be is named, nobody's change is overwritten."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from ms5ops.database import Database
from ms5ops.errors import RolloutError
from ms5ops.rollout import journal
from ms5ops.rollout.executor import apply
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.restored import Comparison
from ms5ops.rollout.rollback import find_way, rollback
from ms5ops.rollout.running import Progress
from tests.rollout.apply.handmade import (
    DESTROY,
    ENABLE,
    POLICY,
    VERSIONS,
    WHOLE,
    Plan,
    apply_and_die,
    apply_and_die_after,
    catalogue,
    conditions,
    index,
    outside,
    rollback_and_die,
    when_stale,
)

pytestmark = pytest.mark.xdist_group("applying")


def test_a_rollback_restores_what_was_there(probe: Database) -> None:
    before = catalogue(probe)
    applied = apply(probe, WHOLE, conditions(), server_versions=VERSIONS).deployment
    with probe.session() as session, session.transaction():
        journal.Journal(session, applied, conditions().who).event("Compresses badly.", "warning")
    way = find_way(probe, journal.deployment(probe), conditions())
    assert [row.operation.key for row in way.undone] == [one.key for one in reversed(WHOLE.operations)]
    assert way.needed_bytes > 0
    assert (journal.deployment(probe).seconds or 0) > 0
    outcome = rollback(probe, journal.deployment(probe), conditions())
    assert (outcome.status, outcome.left) == ("rolled back", ())
    assert outcome.warnings == (), "what applying warned of is gone"
    assert journal.deployment(probe).seconds is None, "its end is that of the way back"
    assert catalogue(probe) == before
    with pytest.raises(RolloutError, match="left to take back"):
        rollback(probe, journal.deployment(probe), conditions())


@pytest.mark.parametrize("key", [one.key for one in WHOLE.operations])
def test_killed_after_every_operation_it_is_rolled_back(probe: Database, key: str, dies) -> None:  # type: ignore[no-untyped-def]
    before = catalogue(probe)
    dies(apply_and_die_after, probe.target, WHOLE, key, True)
    outcome = when_stale(lambda: rollback(probe, journal.deployment(probe), conditions()))
    assert outcome.status == "rolled back"
    assert catalogue(probe) == before


@pytest.mark.parametrize("number", range(90, 230, 34))
def test_killed_before_any_statement_it_is_rolled_back(probe: Database, number: int, dies) -> None:  # type: ignore[no-untyped-def]
    before = catalogue(probe)
    dies(apply_and_die, probe.target, WHOLE, number, True)
    when_stale(lambda: rollback(probe, journal.deployment(probe), conditions()))
    assert catalogue(probe) == before


@pytest.mark.parametrize("number", range(20, 120, 17))
def test_a_rollback_that_is_killed_is_finished(probe: Database, number: int, dies) -> None:  # type: ignore[no-untyped-def]
    before = catalogue(probe)
    apply(probe, WHOLE, conditions(), server_versions=VERSIONS)
    dies(rollback_and_die, probe.target, number, True)
    outcome = when_stale(lambda: rollback(probe, journal.deployment(probe), conditions()))
    assert outcome.status == "rolled back"
    assert catalogue(probe) == before


def test_one_phase_is_taken_back_and_the_rest_later(probe: Database) -> None:
    before = catalogue(probe)
    apply(probe, WHOLE, conditions(), server_versions=VERSIONS)
    outcome = rollback(probe, journal.deployment(probe), conditions(), phases=[4])
    assert outcome.status == "done"
    assert "idx_a" not in catalogue(probe)
    assert "policy_compression" in catalogue(probe)
    assert rollback(probe, journal.deployment(probe), conditions()).status == "rolled back"
    assert catalogue(probe) == before


def test_a_phase_that_another_needs_is_not_taken_back_alone(probe: Database) -> None:
    plan = Plan((ENABLE, replace(POLICY, key="03.policy", phase=3)))
    apply(probe, plan, conditions(), server_versions=VERSIONS)
    with pytest.raises(RolloutError, match="Take back phase 3 as well"):
        rollback(probe, journal.deployment(probe), conditions(), phases=[2])


def test_what_someone_changed_by_hand_is_not_overwritten(probe: Database) -> None:
    apply(probe, Plan((ENABLE, POLICY)), conditions(), server_versions=VERSIONS)
    probe.execute(
        [
            "SELECT remove_compression_policy('probe.metric')",
            "SELECT add_compression_policy('probe.metric', interval '5 days')",
        ]
    )
    changed = catalogue(probe)
    with pytest.raises(RolloutError, match=r"'5 days'.*--force"):
        rollback(probe, journal.deployment(probe), conditions())
    assert catalogue(probe) == changed
    assert rollback(probe, journal.deployment(probe), conditions(), force=True).status == "rolled back"


def test_what_cannot_come_back_is_named_and_needs_a_confirmation(probe: Database) -> None:
    apply(probe, Plan((index("idx_a", "ts"), DESTROY)), conditions(), server_versions=VERSIONS)
    found = journal.deployment(probe)
    with pytest.raises(RolloutError, match=r"dropped chunks do not come back.*rows older than 6 days"):
        rollback(probe, found, conditions())
    assert "idx_a" in catalogue(probe)
    outcome = rollback(probe, found, conditions(), accept_loss=True)
    assert (outcome.status, outcome.left) == ("rolled back", ("03.drop",))
    assert "idx_a" not in catalogue(probe)


def test_without_room_nothing_is_decompressed(probe: Database) -> None:
    apply(probe, WHOLE, conditions(), server_versions=VERSIONS)
    after = catalogue(probe)
    with pytest.raises(RolloutError, match="Make room first"):
        rollback(probe, journal.deployment(probe), conditions(free_bytes=lambda: 1000))
    assert catalogue(probe) == after


def test_a_state_that_is_not_the_one_from_before_is_a_failure_that_names_the_difference(probe: Database) -> None:
    before = {"tables": ["as it was"]}
    apply(probe, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS, before_state=before)
    seen: list[object] = []

    class Other(Comparison):
        def whole(self, before: object, kept: Collection[str], undone: Sequence[Operation] = ()) -> list[str]:
            seen.extend([before, list(kept), [one.key for one in undone]])
            return ["tables metric owner: ms5ops -> someone"]

    compare = Other(lambda: pytest.fail("all was taken back: the captured state is enough"))
    outcome = rollback(probe, journal.deployment(probe), conditions(), compare=compare)
    assert seen == [before, [], ["04.idx_a"]]
    assert outcome.status == "failed"
    assert "owner: ms5ops -> someone" in (outcome.reason or "")


def test_an_inverse_that_fails_can_be_gone_on_with(probe: Database) -> None:
    before = catalogue(probe)
    apply(probe, Plan((index("idx_a", "ts"), outside("idx_b", "value"))), conditions(), server_versions=VERSIONS)
    once = [True]

    def report(progress: Progress) -> None:
        if progress.key == "04.idx_a" and progress.fraction == 0.0 and once.pop():
            probe.execute("ALTER INDEX probe.idx_a RENAME TO idx_elsewhere")

    outcome = rollback(probe, journal.deployment(probe), conditions(report=report))
    assert (outcome.status, outcome.done, outcome.left) == ("failed", ("04.idx_b",), ("04.idx_a",))
    probe.execute("ALTER INDEX probe.idx_elsewhere RENAME TO idx_a")
    assert rollback(probe, journal.deployment(probe), conditions()).status == "rolled back"
    assert catalogue(probe) == before
