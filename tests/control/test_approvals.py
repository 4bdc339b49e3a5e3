"""By somebody else, for exactly this, for a time."""

from datetime import timedelta
from pathlib import Path

import pytest

from ms5ops.access import accounts
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store, access_store
from ms5ops.control import approvals
from ms5ops.control.approvals import Asked
from ms5ops.control.store import ControlError
from ms5ops.errors import NotAllowed
from ms5ops.units import instant_text
from tests.control.conftest import Clock

PLAN = Asked("plan 1", "plan abc", "1" * 64, "alice")
BOB = Actor("bob", "operator")
DAY = timedelta(days=1)


@pytest.fixture
def store(home: Path, clock: Clock) -> Store:
    return Store(home / "control.sqlite", "control")


def approve(store: Store, by: Actor = BOB, asked: Asked = PLAN) -> None:
    approvals.approve(store, asked, by, comment="looked at it", now=store.now(), valid_for=DAY)


def gate(store: Store, asked: Asked = PLAN, protected: bool = True) -> approvals.Gate:
    found = approvals.approvals(store, asked.subject)
    return approvals.approval_gate(asked, found, protected=protected, now=store.now())


def begin(store: Store, beginning: str, unbegun: tuple[str, ...] = (), protected: bool = True) -> None:
    approvals.take(store, PLAN, beginning, unbegun=unbegun, protected=protected, now=store.now())
    approvals.use(store, beginning, now=store.now())


def test_it_opens_the_gate_until_it_expires(store: Store, clock: Clock) -> None:
    assert (gate(store).fact, gate(store).text) == ("not met", "nobody has approved it yet")
    assert gate(store, protected=False).fact == "met"
    approve(store)
    assert (gate(store).fact, gate(store).text) == ("met", "by bob, for another 1 day")
    clock.pass_by(hours=23, minutes=59)
    assert gate(store).fact == "met"
    clock.pass_by(minutes=1)
    assert gate(store).fact == "not met"
    assert "expired" in gate(store).text
    approve(store)
    assert gate(store).fact == "met"


@pytest.mark.parametrize("name", ["alice", "ALICE"])
@pytest.mark.parametrize("provider", ["local", "oidc", "shell"])
def test_the_author_cannot_however_signed_in(store: Store, name: str, provider: str) -> None:
    with pytest.raises(NotAllowed, match="cannot approve it"):
        approve(store, Actor(name, "admin", provider))
    assert approvals.approvals(store, PLAN.subject) == ()


@pytest.mark.parametrize(
    ("approver", "author", "is_one"),
    [
        (Actor("anna", "admin", "shell"), Actor("anna@plant.example", "dba", "oidc"), True),
        (Actor("Anna@plant.example", "operator", "oidc"), Actor("anna", "dba"), True),
        (Actor("anna@plant.example", "operator", "oidc"), Actor("anna@works.example", "dba", "oidc"), False),
        (Actor("ben", "admin", "shell"), Actor("anna@plant.example", "dba", "oidc"), False),
        (Actor("annabel", "operator"), Actor("anna", "dba", "shell"), False),
    ],
)
def test_a_name_before_the_at_sign_is_one_person_by_whatever_way_they_sign_in(
    store: Store, approver: Actor, author: Actor, is_one: bool
) -> None:
    asked = Asked("plan 1", "plan abc", "1" * 64, author.name, author.provider)
    if is_one:
        with pytest.raises(NotAllowed, match="cannot approve it"):
            approve(store, approver, asked)
    else:
        approve(store, approver, asked)
    assert gate(store, asked).fact == ("not met" if is_one else "met")


def test_two_names_of_one_person_at_the_identity_provider_are_one_person(store: Store) -> None:
    for name, subject in (("8f3a", "idp 8f3a"), ("anna@plant.example", "idp 8f3a"), ("ben@plant.example", "idp 77")):
        now = store.now().isoformat()
        access_store().change(
            "note_token", name=name, subject=subject, groups="[]", issued_at=1.0, expires_at=2.0, now=now
        )
    asked = Asked("plan 1", "plan abc", "1" * 64, "8f3a", "oidc")
    with pytest.raises(NotAllowed, match="cannot approve it"):
        approve(store, Actor("Anna@plant.example", "operator", "oidc"), asked)
    approve(store, Actor("ben@plant.example", "operator", "oidc"), asked)


def test_it_counts_for_exactly_what_was_approved(store: Store) -> None:
    approve(store)
    changed = Asked("plan 1", "plan abc", "2" * 64, "alice")
    assert (gate(store, changed).fact, gate(store, changed).text) == (
        "not met", "bob approved something else: it has changed since",
    )  # fmt: skip
    assert gate(store, Asked("plan 2", "plan def", "1" * 64, "alice")).text == "nobody has approved it yet"


def test_it_is_good_for_one_apply(store: Store, clock: Clock) -> None:
    approve(store)
    begin(store, "apply 1")
    assert gate(store).text == f"the approval of bob was used at {instant_text(clock.instant)}"
    with pytest.raises(NotAllowed, match="was used at"):
        begin(store, "apply 2")
    assert approvals.withdraw(store, PLAN.subject, by="bob", now=store.now()) == 0, "there is nothing to take back"
    approve(store)
    begin(store, "apply 2")


def test_taken_for_what_never_began_it_stands_again_and_for_all_else_it_does_not(store: Store) -> None:
    approve(store)
    approvals.take(store, PLAN, "apply 1", unbegun=(), protected=True, now=store.now())
    assert gate(store).text == "the approval of bob was taken for a run that has begun, or may have"
    with pytest.raises(NotAllowed, match="or may have"):
        begin(store, "apply 2", unbegun=("apply 3",))
    begin(store, "apply 2", unbegun=("apply 1",))
    approvals.use(store, "apply 1", now=store.now())  # whoever took it first comes too late
    (found,) = approvals.approvals(store, PLAN.subject)
    assert found.taken_for == "apply 2"
    with pytest.raises(NotAllowed, match="was used at"):
        begin(store, "apply 3", unbegun=("apply 1", "apply 2"))


def test_another_approval_does_not_give_back_the_first(store: Store) -> None:
    approve(store)
    approvals.take(store, PLAN, "apply 1", unbegun=(), protected=True, now=store.now())
    approve(store)
    approvals.take(store, PLAN, "apply 2", unbegun=(), protected=True, now=store.now())
    assert [one.taken_for for one in approvals.approvals(store, PLAN.subject)] == ["apply 2", "apply 1"]


def test_one_that_was_taken_can_be_withdrawn(store: Store) -> None:
    approve(store)
    approvals.take(store, PLAN, "apply 1", unbegun=(), protected=True, now=store.now())
    assert approvals.withdraw(store, PLAN.subject, by="bob", now=store.now()) == 1
    with pytest.raises(NotAllowed, match="withdrawn by bob"):
        begin(store, "apply 2", unbegun=("apply 1",))


def test_what_is_withdrawn_or_expires_while_the_backup_is_made_is_not_used(store: Store, clock: Clock) -> None:
    approve(store)
    approvals.withdraw(store, PLAN.subject, by="bob", now=store.now())
    with pytest.raises(NotAllowed, match="withdrawn by bob"):
        begin(store, "apply 2")
    approve(store)
    clock.instant += DAY
    with pytest.raises(NotAllowed, match="expired"):
        begin(store, "apply 2")
    begin(store, "apply 2", protected=False)  # needs none


def test_whoever_asks_cannot_be_the_one_who_approved(store: Store) -> None:
    """A rollback is approved before it is known who starts it."""
    approve(store, asked=Asked("the rollback of deployment 1", "rollback 1", "3" * 64, ""))
    own = Asked("the rollback of deployment 1", "rollback 1", "3" * 64, "bob")
    assert gate(store, own).fact == "not met"
    assert gate(store, Asked(own.name, own.subject, own.hash, "carol")).fact == "met"


def test_it_counts_as_long_as_its_approver_may_approve(store: Store) -> None:
    accounts.add("carol", "admin")
    accounts.add("bob", "operator")
    approve(store)
    assert gate(store).fact == "met"
    accounts.set_role("bob", "viewer")
    assert gate(store).text == "bob, who approved it, may no longer approve anything"
    with pytest.raises(NotAllowed, match="may no longer approve"):
        begin(store, "apply 2")
    accounts.set_role("bob", "admin")
    assert gate(store).fact == "met"
    accounts.set_disabled("bob", disabled=True)
    assert gate(store).fact == "not met"


def test_it_can_be_withdrawn(store: Store) -> None:
    approve(store)
    assert approvals.withdraw(store, PLAN.subject, by="bob", now=store.now()) == 1
    assert gate(store).text == "the approval of bob was withdrawn by bob"
    assert approvals.withdraw(store, PLAN.subject, by="bob", now=store.now()) == 0


def test_a_comment_has_an_end(store: Store) -> None:
    with pytest.raises(ControlError, match="1,000,000 characters"):
        approvals.approve(store, PLAN, BOB, comment="x" * 1_000_000, now=store.now(), valid_for=DAY)


@pytest.mark.parametrize(
    ("is_open", "window", "reason", "fact"),
    [
        (True, "always", None, "met"),
        (True, "22:00-06:00 UTC", None, "met"),
        (False, "22:00-06:00 UTC", None, "not met"),
        (False, "22:00-06:00 UTC", "  ", "not met"),
        (False, "22:00-06:00 UTC", "line stands still", "waived"),
    ],
)
def test_outside_the_window_a_reason_is_needed(is_open: bool, window: str, reason: str | None, fact: str) -> None:
    assert approvals.window_gate(is_open=is_open, window=window, reason=reason).fact == fact
