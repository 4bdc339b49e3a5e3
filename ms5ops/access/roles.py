"""Roles and what each may do: the one table that pages, services and the command line ask."""

from dataclasses import dataclass
from typing import Literal, get_args

from ms5ops.config import RoleName
from ms5ops.errors import NotAllowed

Role = RoleName
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most: each role may do all that those before it may."""

Action = Literal[
    "read", "benchmark", "collect", "dry run", "edit policies", "apply", "roll back", "approve", "acknowledge alerts",
    "read audit", "manage accounts", "change settings",
]  # fmt: skip

LEAST: dict[Action, Role] = {
    "read": "viewer",
    "benchmark": "dba",
    "collect": "dba",
    "dry run": "dba",
    "edit policies": "dba",
    "acknowledge alerts": "dba",
    "read audit": "dba",
    "apply": "operator",
    "roll back": "operator",
    "approve": "operator",
    "manage accounts": "admin",
    "change settings": "admin",
}
"""The least role for each action."""


IN_WORDS: dict[Action, str] = {
    "read": "read these pages",
    "benchmark": "run benchmarks",
    "collect": "store snapshots",
    "dry run": "make a dry run",
    "edit policies": "edit policies",
    "acknowledge alerts": "acknowledge alerts",
    "read audit": "read the audit log",
    "apply": "apply a plan",
    "roll back": "roll a deployment back",
    "approve": "approve a plan",
    "manage accounts": "manage accounts",
    "change settings": "change settings",
}
"""Each action as people say it, after "to" or "may"."""


@dataclass(frozen=True)
class Actor:
    """Somebody who acts: ``name`` is unique within its ``provider`` ("local", "oidc", "shell" for the command line)."""

    name: str
    role: Role
    provider: str = "local"


def may(actor: Actor | None, action: Action) -> bool:
    """Whether the actor may do it; nobody (None) may do nothing."""
    return actor is not None and ROLES.index(actor.role) >= ROLES.index(LEAST[action])


def require(actor: Actor | None, action: Action) -> Actor:
    """The actor, if they may do it; NotAllowed otherwise."""
    if actor is None:
        raise NotAllowed(f"Nobody is signed in, and to {IN_WORDS[action]} somebody must be.", "Sign in.")
    if not may(actor, action):
        raise NotAllowed(
            f"{actor.name} has the role {actor.role}, and to {IN_WORDS[action]} takes {LEAST[action]}.",
            "Ask an admin for that role, or somebody who has it to do this.",
        )
    return actor
