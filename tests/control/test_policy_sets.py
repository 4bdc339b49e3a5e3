"""Versions of policy sets, what differs between them in words, and texts that are no policy."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ms5ops.cli import app
from ms5ops.control import policy_sets
from ms5ops.control.store import ControlError, Store, control_store
from ms5ops.errors import ConfigError
from ms5ops.policy.document import DEFAULT_FILE
from tests.control.conftest import Clock

DEFAULT = DEFAULT_FILE.read_text(encoding="utf-8")
LONGER = policy_sets.adjusted(DEFAULT, {("tables", "metric_hist", "drop_after"): "120 days"})


@pytest.fixture
def store(home: Path, clock: Clock) -> Store:
    return Store(home / "control.sqlite", "control")


def save(store: Store, text: str, comment: str = "why", based_on: int = 0) -> int:
    return policy_sets.save(store, text, author="dba", comment=comment, based_on=based_on, now=store.now())


def test_versions_are_kept_compared_and_put_in_force_per_environment(store: Store, clock: Clock) -> None:
    assert [one.number for one in policy_sets.versions(store)] == [0]
    assert policy_sets.in_force(store, "plant").number == 0
    assert save(store, LONGER, "Auditors want four months") == 1
    shorter = policy_sets.adjusted(LONGER, {("tables", "metric_hist", "enabled"): False})
    clock.pass_by(hours=1)
    assert save(store, shorter, "Not on metric_hist", based_on=1) == 2
    second, first, default = policy_sets.versions(store)
    assert (second.number, second.based_on, first.author, first.comment) == (2, 1, "dba", "Auditors want four months")
    assert (default.number, second.created_at) == (0, clock.instant)
    policy_sets.choose(store, "plant", 2, by="dba", now=store.now())
    assert policy_sets.in_force(store, "plant").policy.tables["metric_hist"].enabled is False
    assert policy_sets.in_force(store, "sandbox").number == 0
    with pytest.raises(ControlError, match="no version 9"):
        policy_sets.choose(store, "plant", 9, by="dba", now=store.now())


def test_what_differs_is_said_field_by_field() -> None:
    changed = policy_sets.adjusted(
        LONGER,
        {
            ("tables", "metric_hist", "enabled"): False,
            ("aggregates", "oee_hourly", "start_offset"): "10 days",
            ("tables", "energy_consumption", "segment_by"): [],
        },
    )
    found = policy_sets.compare(policy_sets.parse(DEFAULT), policy_sets.parse(changed))
    assert [str(one) for one in found] == [
        "tables.metric_hist.enabled: on → off",
        "tables.metric_hist.drop_after: 90 days → 120 days",
        "tables.energy_consumption.segment_by: equipment_code → nothing",
        "aggregates.oee_hourly.start_offset: 7 days → 10 days",
    ]
    assert policy_sets.compare(policy_sets.parse(DEFAULT), policy_sets.parse(DEFAULT)) == ()


def test_adjusting_keeps_comments_and_every_other_line() -> None:
    differing = [
        (before, after)
        for before, after in zip(DEFAULT.splitlines(), LONGER.splitlines(), strict=True)
        if before != after
    ]
    assert differing == [('drop_after      = "90 days"', 'drop_after      = "120 days"')]


def test_forms_and_texts_agree() -> None:
    rows = policy_sets.form_rows(policy_sets.parse(DEFAULT), "tables")
    assert rows[0] == {
        "name": "metric_hist", "enabled": True, "chunk_interval": "1 hour", "compress_after": "7 days",
        "drop_after": "90 days",
    }  # fmt: skip
    edited = [{**rows[0], "drop_after": " never ", "enabled": False}, *rows[1:]]
    changes = policy_sets.edits("tables", rows, edited)
    assert changes == {("tables", "metric_hist", "enabled"): False, ("tables", "metric_hist", "drop_after"): "never"}
    assert policy_sets.parse(policy_sets.adjusted(DEFAULT, changes)).drop_after("metric_hist") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#" * 10_000_000, "10,000,000 bytes"),
        ("a" + ".a" * 100_000 + " = 1", "Line 1 .* 200,005 characters"),
        ("[" * 200 + "\n" + "x = " + "[" * 1_900, "not valid TOML"),
        ("\n".join(["x = [" * 300] * 100), "not valid TOML"),
        ('schema = "x"\nsql_folder = "/etc"', "names a sql_folder"),
        (DEFAULT.replace("[tables.metric_hist]", '[tables."<script>alert(1)</script>"]'), "script"),
        (DEFAULT.replace('segment_by      = ["metric_def_id"]', 'segment_by = ["x; DROP TABLE a"]'), "segment_by"),
        (DEFAULT.replace('drop_after      = "90 days"', 'drop_after = "90 days\'; --"'), "drop_after"),
        ("\ud800 = 1", "not valid TOML"),
        ("", "schedules is missing"),
    ],
)
def test_what_is_no_policy_is_refused_quickly_and_in_a_sentence(text: str, why: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=why):
        policy_sets.parse(text)
    assert time.process_time() - began < 2


def test_a_version_needs_a_reason_a_difference_and_no_errors(store: Store) -> None:
    with pytest.raises(ConfigError, match="with a comment"):
        save(store, LONGER, " ")
    with pytest.raises(ControlError, match="2,001 characters"):
        save(store, LONGER, "x" * 2_001)
    with pytest.raises(ConfigError, match="Nothing differs"):
        save(store, DEFAULT)
    erasing = policy_sets.adjusted(DEFAULT, {("aggregates", "metric_hist_1min", "start_offset"): "200 days"})
    with pytest.raises(ConfigError, match="metric_hist_1min: It looks back"):
        save(store, erasing)
    hostile = "<b>bold</b> '; DROP TABLE policy_version; -- \u202e 💥"
    save(store, LONGER, hostile)
    assert policy_sets.versions(store)[0].comment == hostile


@pytest.mark.parametrize("command", [("plans", "--save", "--policy"), ("policy", "save", "-m", "why")])
def test_a_file_that_cannot_be_read_is_said_without_a_trace(home: Path, command: tuple[str, ...]) -> None:
    no_text = home / "policy.toml"
    no_text.write_bytes(b"\xff\xfe\x00")
    for file in (home / "missing.toml", no_text):
        error = CliRunner().invoke(app, [*command, str(file)]).exception
        assert isinstance(error, ConfigError)
        assert error.happened == f"{file} cannot be read as text."


def test_a_saved_version_is_never_changed(home: Path) -> None:
    import sqlite3

    store = control_store()
    save(store, LONGER)
    with sqlite3.connect(store.file) as connection:
        for statement in ("UPDATE policy_version SET text = ''", "DELETE FROM policy_version"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                connection.execute(statement)
    connection.close()
