"""The audit log: what is written can be read and exported, and no change to it stays unseen."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from ms5ops.access import audit
from ms5ops.access.audit import Head
from ms5ops.access.audit_export import as_csv, as_json, chosen
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.cli import app
from ms5ops.errors import AuditError
from tests.access.conftest import Clock

ALICE = Actor("alice", "operator")


def written(count: int) -> list[Head]:
    return [audit.record(ALICE, "apply", f"plan {number}", "done", {"n": number}) for number in range(1, count + 1)]


def tamper(kept: Store, *statements: str) -> None:
    """Change the file behind the program's back, past the triggers that keep accidents away."""
    connection = sqlite3.connect(kept.file)
    for trigger in ("audit_entry_stays", "audit_entry_as_it_is"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def head_file(kept: Store) -> str:
    return (kept.file.parent / "audit.head").read_text()


def test_what_was_recorded_is_read(kept: Store, clock: Clock) -> None:
    head = audit.record(ALICE, "apply", "plan 1", "done", {"reason": "Ünïcode <b>\x00 \ud800", "list": [1, None]})
    (entry,) = audit.entries()
    assert (entry.number, entry.at, entry.actor, entry.provider, entry.role) == (
        1,
        clock.now,
        "alice",
        "local",
        "operator",
    )
    assert (entry.action, entry.subject, entry.outcome) == ("apply", "plan 1", "done")
    assert entry.details == {"reason": "Ünïcode <b>\x00 \ud800", "list": [1, None]}
    assert audit.verify() == audit.Verification(1, head, ())
    assert Head.parse(str(head)) == head


def test_an_empty_log_is_whole(kept: Store) -> None:
    assert audit.verify() == audit.Verification(0, audit.BEFORE_ALL, ())


def test_ten_megabytes_are_cut_and_the_entry_says_so(kept: Store) -> None:
    audit.record(ALICE, "save", "x" * 10_000_000, "refused", {"text": "y" * 10_000_000})
    (entry,) = audit.entries()
    assert len(entry.subject) < 5_000
    assert entry.details["text"].endswith("(cut; 10,000,000 characters)")
    assert audit.verify().intact


TAMPERED: list[tuple[str, list[str], str]] = [
    (
        "changed",
        ["UPDATE audit_entry SET entry = replace(entry, 'alice', 'mallo') WHERE number = 3"],
        "Entry 3 is not as",
    ),
    ("its signature changed", [f"UPDATE audit_entry SET mac = '{'a' * 64}' WHERE number = 3"], "Entry 3 is not as"),
    ("removed", ["DELETE FROM audit_entry WHERE number = 3"], "Entry 3 is missing"),
    ("two removed", ["DELETE FROM audit_entry WHERE number IN (2, 3)"], "Entries 2 to 3 are missing"),
    ("the first removed", ["DELETE FROM audit_entry WHERE number = 1"], "Entry 1 is missing"),
    (
        "removed and renumbered",
        ["DELETE FROM audit_entry WHERE number = 3", "UPDATE audit_entry SET number = 3 WHERE number = 4",
         "UPDATE audit_entry SET number = 4 WHERE number = 5"],
        "Entry 3 is not as",
    ),
    (
        "exchanged",
        ["UPDATE audit_entry SET number = 99 WHERE number = 2", "UPDATE audit_entry SET number = 2 WHERE number = 3",
         "UPDATE audit_entry SET number = 3 WHERE number = 99"],
        "Entry 2 is not as",
    ),
    ("cut off", ["DELETE FROM audit_entry WHERE number > 3"], "Entries 4 to 5 are missing"),
    ("emptied", ["DELETE FROM audit_entry"], "Entries 1 to 5 are missing"),
    (
        "invented",
        [f"INSERT INTO audit_entry SELECT 6, entry, '{'b' * 64}' FROM audit_entry WHERE number = 5"],
        "Entry 6 is not as",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "finding"), [case[1:] for case in TAMPERED], ids=[case[0] for case in TAMPERED])
def test_tampering_is_found(kept: Store, statements: list[str], finding: str) -> None:
    written(5)
    assert audit.verify().intact
    tamper(kept, *statements)
    found = audit.verify()
    assert any(finding in one for one in found.findings), found.findings
    # and what is written afterwards does not cover it up
    audit.record(ALICE, "look", "it", "done")
    assert not audit.verify().intact


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda _text: "", "head is not as it was written"),
        (lambda text: text.replace("5:", "3:", 1), "head is not as it was written"),
        (lambda text: text[:-3] + "00\n", "head is not as it was written"),
    ],
)
def test_a_changed_head_is_found_and_stays_found(kept: Store, change: Callable[[str], str], finding: str) -> None:
    written(5)
    (kept.file.parent / "audit.head").write_text(change(head_file(kept)))
    assert any(finding in one for one in audit.verify().findings)
    audit.record(ALICE, "look", "it", "done")
    (doubt,) = audit.verify().findings
    assert doubt == "When entry 6 was written, the log was not whole: it says what was found."


def test_cut_off_with_its_head_taken_away_is_found_and_stays_found(kept: Store) -> None:
    written(5)
    tamper(kept, "DELETE FROM audit_entry WHERE number > 3")
    (kept.file.parent / "audit.head").unlink()
    assert "head is missing" in audit.verify().findings[0]
    audit.record(ALICE, "look", "it", "done")
    assert not audit.verify().intact


def test_an_old_copy_of_everything_is_found_by_a_head_kept_elsewhere(kept: Store) -> None:
    heads = written(5)
    old = head_file(kept)
    late = audit.record(ALICE, "apply", "plan 6", "done")
    tamper(kept, "DELETE FROM audit_entry WHERE number > 5")
    (kept.file.parent / "audit.head").write_text(old)
    assert audit.verify().intact, "nothing here can tell"
    assert audit.verify(kept=heads).intact
    assert audit.verify(kept=[late]).findings == ("Entry 6, as it was noted elsewhere, is not in the log.",)


def test_the_log_is_not_changed_by_accident(kept: Store) -> None:
    written(1)
    connection = sqlite3.connect(kept.file)
    for statement in ("DELETE FROM audit_entry", "UPDATE audit_entry SET entry = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="is never"):
            connection.execute(statement)
    connection.close()


def test_without_its_key_nothing_is_recorded_or_called_whole(kept: Store) -> None:
    written(2)
    (kept.file.parent / "audit.key").unlink()
    assert "is missing: nothing can be verified" in audit.verify().findings[0]
    with pytest.raises(AuditError, match="key of the audit log"):
        audit.record(ALICE, "apply", "plan", "done")
    with pytest.raises(AuditError, match="key of the audit log"):
        audit.ready()


def test_a_crash_between_the_entry_and_its_head_is_no_tampering(kept: Store) -> None:
    written(2)
    before = head_file(kept)
    audit.record(ALICE, "apply", "plan 3", "done")
    (kept.file.parent / "audit.head").write_text(before)
    assert audit.verify().intact
    audit.record(ALICE, "apply", "plan 4", "done")
    assert audit.verify().intact


def test_filters(kept: Store, clock: Clock) -> None:
    audit.record(ALICE, "apply", "plan 1", "done")
    clock.forward(days=2)
    audit.record(None, "sign in", "bob", "refused", {"address": "192.0.2.9"})
    entries = audit.entries()
    assert [entry.number for entry in entries] == [2, 1]
    assert [entry.number for entry in audit.entries(limit=1)] == [2]
    assert [entry.number for entry in chosen(entries, since=clock.now - timedelta(days=1))] == [2]
    assert [entry.number for entry in chosen(entries, actions=["apply"])] == [1]
    assert [entry.number for entry in chosen(entries, outcomes=["refused"])] == [2]
    assert [entry.number for entry in chosen(entries, text="192.0.2")] == [2]
    assert [entry.number for entry in chosen(entries, text="ALICE")] == [1]


def test_exports(kept: Store) -> None:
    audit.record(Actor("=cmd|' /C calc'!A0", "viewer", "oidc"), "look", 'a,b\n"c"', "done", {"x": "@SUM(1)"})
    head = written(1)[0]
    text = as_csv(audit.entries())
    assert "'=cmd" in text
    assert ',"a,b\n""c""",' in text
    read = json.loads(as_json(audit.entries(), audit.verify()))
    assert read["head"] == str(Head(2, head.mac))
    assert read["intact"] is True
    assert read["entries"][1]["actor"] == "=cmd|' /C calc'!A0"


def test_commands(kept: Store) -> None:
    head = written(3)[-1]
    audit.record(ALICE, "\x1b[31mred", "[bold]x", "done")
    run = CliRunner().invoke
    listed = run(app, ["audit", "list", "--limit", "2"])
    assert "\\x1b[31mred" in listed.output
    assert "\x1b[31m" not in listed.output
    assert "[bold]x" in listed.output
    values = json.loads(run(app, ["audit", "list", "--json", "--since", "2026-11-23"]).stdout)
    assert [entry["number"] for entry in values["entries"]] == [4, 3, 2, 1]
    assert run(app, ["audit", "list", "--since", "2030-01-01"]).output.strip() == "There are no entries."
    assert "Whole: 4 entries" in run(app, ["audit", "verify", "--head", str(head)]).output
    wrong = run(app, ["audit", "verify", "--head", "no head"])
    assert isinstance(wrong.exception, AuditError)
    target = kept.file.parent / "out.csv"
    assert run(app, ["audit", "export", str(target)]).exit_code == 0
    assert len(target.read_text().splitlines()) == 5
    again = run(app, ["audit", "export", str(target)])
    assert isinstance(again.exception, AuditError), "nothing is overwritten"
    tamper(kept, "DELETE FROM audit_entry WHERE number = 2")
    broken = run(app, ["audit", "verify", "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["findings"] == ["Entry 2 is missing."]
