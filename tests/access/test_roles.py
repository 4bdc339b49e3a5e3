"""Every role against every action: in the table, in the service, and on the command line."""

import os

import pytest
from typer.testing import CliRunner

from ms5ops.access import accounts, audit, manage, shell
from ms5ops.access.roles import IN_WORDS, LEAST, ROLES, Action, Actor, Role, may, require
from ms5ops.access.store import Store
from ms5ops.cli import app
from ms5ops.errors import NotAllowed
from tests.access.conftest import configure, with_account

# Written out: the table in the program is what is tested.
MAY: dict[Role, set[Action]] = {
    "viewer": {"read"},
    "dba": {"read", "benchmark", "collect", "dry run", "edit policies", "acknowledge alerts", "read audit"},
}
MAY["operator"] = MAY["dba"] | {"apply", "roll back", "approve"}
MAY["admin"] = MAY["operator"] | {"manage accounts", "change settings"}
CASES = [(role, action) for role in ROLES for action in LEAST]


@pytest.mark.parametrize(("role", "action"), CASES)
def test_every_role_against_every_action(kept: Store, role: Role, action: Action) -> None:
    name = "somebody"
    accounts.add(name, role)
    kept.change("set_password", name=name, password_hash="x", must_change=0, one_time_ends=None, now="2026-11-23")
    actor = Actor(name, role)
    if action in MAY[role]:
        assert may(actor, action)
        assert require(actor, action) is actor
        assert manage.allowed(actor, action, "it") == actor
        assert audit.entries() == []
        return
    assert not may(actor, action)
    with pytest.raises(NotAllowed, match=f"has the role {role}, and to {IN_WORDS[action]} takes {LEAST[action]}"):
        manage.allowed(actor, action, "it")
    (entry,) = audit.entries()
    assert (entry.actor, entry.role, entry.action, entry.outcome) == (name, role, action, "refused")


@pytest.mark.parametrize("action", LEAST)
def test_nobody_may_do_anything(kept: Store, action: Action) -> None:
    assert not may(None, action)
    with pytest.raises(NotAllowed, match="Nobody is signed in"):
        manage.allowed(None, action, "it")
    assert [(entry.actor, entry.outcome) for entry in audit.entries()] == [(audit.NOBODY, "refused")]


COMMANDS: list[tuple[Role, list[str]]] = [
    ("admin", ["account", "list"]),
    ("admin", ["account", "add", "new"]),
    ("admin", ["account", "reset", "other"]),
    ("admin", ["account", "role", "other", "dba"]),
    ("admin", ["account", "disable", "other"]),
    ("admin", ["account", "enable", "other"]),
    ("dba", ["audit", "list"]),
    ("dba", ["audit", "verify"]),
    ("dba", ["audit", "export", "-"]),
]


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_role_against_every_command(kept: Store, role: Role | None) -> None:
    with_account("other", "viewer")
    users = f'"{shell.user()}" = "{role}"' if role else ""
    configure(kept, f"[access.shell.users]\n{users}\n")
    for least, command in COMMANDS:
        result = CliRunner().invoke(app, command)
        if role and ROLES.index(role) >= ROLES.index(least):
            assert result.exit_code == 0, (command, result.output, result.exception)
        else:
            assert isinstance(result.exception, NotAllowed), command
            assert audit.entries()[0].outcome == "refused"


def test_the_shell_user_is_admin_unless_a_table_says_otherwise(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mallory")
    monkeypatch.setenv("USER", "mallory")
    assert shell.user() != "mallory"
    assert accounts.current(shell.user(), "shell") == Actor(shell.user(), "admin", "shell")
    assert accounts.current("mallory", "shell") is None, "a name that is only claimed"
    configure(kept, '[access.shell.users]\nmallory = "admin"\n')
    assert accounts.current(shell.user(), "shell") is None


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert shell.user() == "uid 3999999999"


def test_what_was_taken_away_is_refused_at_once(kept: Store) -> None:
    with_account("boss", "admin")
    actor = Actor(with_account("alice", "operator"), "operator")
    assert manage.allowed(actor, "apply", "plan") == actor
    accounts.set_role("alice", "viewer")
    with pytest.raises(NotAllowed, match="has the role viewer"):
        manage.allowed(actor, "apply", "plan")
    accounts.set_role("alice", "operator")
    accounts.set_disabled("alice", True)
    with pytest.raises(NotAllowed, match="alice may not do anything here now"):
        manage.allowed(actor, "apply", "plan")
    assert [entry.outcome for entry in audit.entries()] == ["refused", "refused"]


def test_a_forged_actor_gets_the_role_that_the_account_has(kept: Store) -> None:
    with_account("alice", "viewer")
    with pytest.raises(NotAllowed):
        manage.add_account(Actor("alice", "admin"), "eve", "admin")
    with pytest.raises(NotAllowed):
        manage.add_account(Actor("nobody there", "admin"), "eve", "admin")
    assert accounts.find("eve") is None
