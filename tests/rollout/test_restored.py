"""What a rollback of a part has to bring back, and what it leaves as it is."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from ms5ops.rollout.records import AggregateState, State
from ms5ops.rollout.restored import part_differences

VIEW: Any = SimpleNamespace(kind="create_view", target="plant.v_status", job_kind=None)
BEFORE = State(
    schema="plant", version=(2, 23, 0), postgres_version=(17, 5), edition="community", reschedules=True, tables=(),
    aggregates=(), indexes=(), jobs=(), views=(), procedures=(), database_settings={}, server_settings=(),
)  # fmt: skip


def with_aggregate(*used_by: str) -> State:
    """The state with an aggregate that was made since, and stays."""
    made = AggregateState("plant.hourly", "plant.metric", "SELECT 1", "postgres", True, None, used_by=used_by)
    return replace(BEFORE, aggregates=(made,))


def test_an_aggregate_that_stays_has_lost_the_view_that_was_taken_back() -> None:
    other, view = "plant.v_other", "plant.v_status"
    start = with_aggregate(other, view)
    assert list(part_differences(BEFORE, start, with_aggregate(other), [VIEW])) == []
    assert list(part_differences(BEFORE, with_aggregate(), with_aggregate(), [VIEW])) == []
    strange = list(part_differences(BEFORE, start, with_aggregate(other, "plant.v_strange"), [VIEW]))
    assert len(strange) == 1
    assert "v_strange" in strange[0]


def test_what_nothing_touched_is_as_it_was_when_the_rollback_began() -> None:
    changed = replace(with_aggregate(), aggregates=(replace(with_aggregate().aggregates[0], comment="by hand"),))
    assert list(part_differences(BEFORE, with_aggregate(), changed, [VIEW])) == [
        "aggregates plant.hourly: nothing -> by hand"
    ]
