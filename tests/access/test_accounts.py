"""Accounts and passwords: names, rules, one-time passwords, the last admin, the store itself."""

import os
import sqlite3
import subprocess
import sys
import unicodedata
from contextlib import closing

import pytest
from argon2 import PasswordHasher

from ms5ops import paths
from ms5ops.access import accounts, audit, manage, passwords, shell, signin
from ms5ops.access.roles import Actor
from ms5ops.access.signin import Place
from ms5ops.access.store import Store
from ms5ops.cli import account as command
from ms5ops.errors import AccountError, Ms5opsError, StoreError
from ms5ops.queries import catalogue
from tests.access.conftest import PASSWORD, Clock, configure, with_account

HERE = Place("192.0.2.7")
HOSTILE = ["", " ", "<script>alert(1)</script>", "a'; DROP TABLE account; --", "x" * 65, "ä", "../etc/passwd", "a\nb",
           "\u202eadmin", "\ud800", ".hidden", "[bold]x"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(kept: Store, name: str) -> None:
    with pytest.raises(AccountError, match="cannot be called"):
        accounts.add(name, "viewer")
    assert accounts.find(name) is None
    assert accounts.every() == []


@pytest.mark.parametrize("name", ["alice", "Alice ", "a.b-c_d+e@example.org"])
def test_names_are_kept_in_small_letters(kept: Store, name: str) -> None:
    accounts.add(name, "viewer")
    assert [one.name for one in accounts.every()] == [name.strip().lower()]
    with pytest.raises(AccountError, match="There is an account"):
        accounts.add(name.upper(), "admin")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "has 5 characters, and 12 are the least"),
        ("ééééé-11ch".replace("é", "e\u0301"), "has 10 characters"),
        ("a" * 40, "too easily guessed"),
        ("alicealicealice", "too easily guessed"),
        ("x1y2z3" * 200, "longer than 1,024 bytes"),
    ],
)
def test_passwords_that_are_refused(password: str, why: str) -> None:
    with pytest.raises(AccountError, match=why):
        passwords.check(password, "alice")


def test_nothing_of_a_long_password_is_cut_off(kept: Store) -> None:
    long = "abcde" * 200
    with_account("alice", "viewer", long)
    stored = accounts.known("alice").password_hash
    assert passwords.matches(stored, long)
    assert not passwords.matches(stored, long[:-1])


def test_the_same_letters_are_the_same_password(kept: Store) -> None:
    composed = "großes Pferd, süß"
    with_account("alice", "viewer", unicodedata.normalize("NFD", composed))
    assert signin.sign_in("alice", composed, HERE).account.name == "alice"


def test_the_hash_is_argon2id_with_the_parameters_of_owasp() -> None:
    assert passwords.hashed(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_of_older_parameters_is_renewed_at_the_next_sign_in(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_account("alice", "viewer")
    old = accounts.known("alice").password_hash
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    signin.sign_in("alice", PASSWORD, HERE)
    new = accounts.known("alice").password_hash
    assert new != old
    assert passwords.matches(new, PASSWORD)


def test_a_one_time_password_lets_in_only_to_choose_another(kept: Store, clock: Clock) -> None:
    password = accounts.add("alice", "operator")
    done = signin.sign_in("alice", password, HERE)
    assert done.account.must_change
    assert signin.actor(done.token) is None
    assert accounts.current("alice", "local") is None
    for new, again, why in [
        (password, password, "the password that you have"),
        (PASSWORD, "something else", "not the same"),
        ("short", "short", "12 are the least"),
    ]:
        with pytest.raises(AccountError, match=why):
            signin.choose_password(done.token, password, new, again)
    with pytest.raises(AccountError, match="not right"):
        signin.choose_password(done.token, "wrong", PASSWORD, PASSWORD)
    signin.choose_password(done.token, password, PASSWORD, PASSWORD)
    assert signin.actor(done.token) == Actor("alice", "operator")
    with pytest.raises(AccountError, match="do not go together"):
        signin.sign_in("alice", password, HERE)


def test_a_one_time_password_expires(kept: Store, clock: Clock) -> None:
    password = accounts.add("alice", "operator")
    clock.forward(days=8)
    with pytest.raises(AccountError, match="has expired"):
        signin.sign_in("alice", password, HERE)


def test_the_last_admin_stays(kept: Store) -> None:
    with_account("one", "admin")
    with pytest.raises(AccountError, match="last admin"):
        accounts.set_role("one", "viewer")
    with pytest.raises(AccountError, match="last admin"):
        accounts.set_disabled("one", True)
    with_account("two", "admin")
    accounts.set_role("one", "viewer")
    with pytest.raises(AccountError, match="last admin"):
        accounts.set_disabled("two", True)


def test_what_an_admin_does_is_recorded_and_never_the_password(kept: Store) -> None:
    admin = Actor(with_account("boss", "admin"), "admin")
    given = [manage.add_account(admin, "alice", "dba"), manage.reset_account(admin, "alice")]
    manage.set_role(admin, "alice", "operator")
    manage.set_disabled(admin, "alice", True)
    manage.set_disabled(admin, "alice", False)
    with pytest.raises(AccountError):
        manage.add_account(admin, "alice", "dba")
    with pytest.raises(AccountError, match="no account"):
        manage.reset_account(admin, "who")
    found = [(entry.action, entry.subject, entry.outcome) for entry in reversed(audit.entries())]
    assert found == [
        ("add account", "alice", "done"),
        ("reset account", "alice", "done"),
        ("set role", "alice", "done"),
        ("disable account", "alice", "done"),
        ("enable account", "alice", "done"),
        ("add account", "alice", "failed"),
        ("reset account", "who", "failed"),
    ]
    everything = b"".join(file.read_bytes() for file in kept.file.parent.iterdir())
    for password in given:
        assert password.encode() not in everything
        assert len(set(password)) > 5


def test_the_sandbox_gets_one_admin_once(kept: Store, capsys: pytest.CaptureFixture[str]) -> None:
    command.first_admin()
    said = capsys.readouterr().err
    (password,) = [line.strip() for line in said.splitlines() if line.count("-") == 3 and line.startswith("    ")]
    assert signin.sign_in("admin", password, HERE).account.must_change
    command.first_admin()
    assert capsys.readouterr().err == ""
    assert len(accounts.every()) == 1


def test_no_admin_is_made_by_somebody_who_may_not(kept: Store) -> None:
    configure(kept, f'[access.shell.users]\n"{shell.user()}" = "dba"\n')
    command.first_admin()
    assert accounts.every() == []


def test_files_are_for_their_owner_alone(kept: Store) -> None:
    with_account("alice", "viewer")
    audit.record(None, "look", "it", "done")
    modes = {file.name: file.stat().st_mode & 0o777 for file in kept.file.parent.iterdir()}
    assert {"access.sqlite", "audit.key", "audit.head"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_newer_or_damaged_store_is_named(kept: Store) -> None:
    accounts.every()
    with sqlite3.connect(kept.file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="schema version 99"):
        accounts.every()
    kept.file.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="could not be used"):
        accounts.every()


def test_an_error_undoes_the_whole_change(kept: Store) -> None:
    def broken() -> None:
        with kept.changing() as change:
            change("note_place", name="a", place="b", now="2026")
            raise Ms5opsError("on purpose", "")

    with pytest.raises(Ms5opsError, match="on purpose"):
        broken()
    assert kept.rows("known_place", name="a", place="b") == []


def test_a_query_that_reads_cannot_write(kept: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        kept.rows("note_place", name="a", place="b", now="2026")


WRITER = """
from ms5ops.access import accounts, audit
for number in range(20):
    audit.record(None, "count", str(number), "done")
accounts.every()
"""


def test_several_processes_write_at_once(kept: Store) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER], cwd=paths.PROJECT, env=os.environ) for _ in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    found = audit.verify()
    assert (found.entries, found.findings) == (60, ())


def test_every_query_of_the_store_runs_and_has_its_columns(kept: Store) -> None:
    assert accounts.every() == []  # makes the file
    connection = sqlite3.connect(kept.file)
    for query in catalogue("access"):
        parameters = dict.fromkeys(query.params, 1)
        assert connection.execute(f"EXPLAIN {query.sql}", parameters).fetchall(), query.name
        if query.sql.startswith("SELECT"):
            read = connection.execute(query.sql, parameters).description
            assert [column[0] for column in read] == list(query.columns), query.name
    connection.close()


def test_why_a_transaction_was_given_up_is_told_where_the_store_has_already_undone_it(kept: Store) -> None:
    with_account("alice", "viewer")
    with closing(sqlite3.connect(kept.file)) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON account BEGIN SELECT RAISE(ROLLBACK, 'no room'); END")
    with pytest.raises(StoreError, match="no room"):
        accounts.add("bob", "viewer")
    assert [one.name for one in accounts.every()] == ["alice"]
