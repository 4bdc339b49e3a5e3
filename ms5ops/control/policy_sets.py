"""Policy sets as people keep them: versions with author and comment, compared in words, one in force per environment.

Version 0 is the set that comes with ms5ops. A text is checked as a whole before anything of it is kept or planned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ms5ops import paths, strict
from ms5ops.control.store import ControlError, Store, checked_comment, control_store, read, written
from ms5ops.environments import Connected
from ms5ops.errors import ConfigError, Ms5opsError
from ms5ops.observe.server import Server, connect_server
from ms5ops.policy.document import DEFAULT_FILE, PolicySet, policy_hash
from ms5ops.policy.intervals import interval_sql
from ms5ops.policy.lint import LintFinding, Measured, lint

MOST_BYTES = 256 * 1024
"""Own choice: the default has 16 kB. Reading TOML takes time by the square of what is hostile in it."""
LONGEST_LINE = 2_000
"""Own choice, in characters: a key of a hundred thousand parts keeps Python's reader busy for minutes."""
INTENDED = ("validation-criteria",)
"""Rules whose errors are shown and do not keep a set from being saved: a table that is switched off is missing from the
checks after a deployment, and was meant to be."""
_NAME = Path("the policy set")


@dataclass(frozen=True)
class Version:
    """A saved policy set without its text. ``based_on`` None: on the set that comes with ms5ops."""

    number: int
    hash: str
    author: str
    comment: str
    created_at: datetime | None
    based_on: int | None

    @property
    def name(self) -> str:
        """How people call it."""
        return _name(self.number)


@dataclass(frozen=True)
class Chosen:
    """The policy set that an environment is planned by."""

    number: int
    text: str
    policy: PolicySet
    chosen_by: str | None = None
    chosen_at: datetime | None = None

    @property
    def name(self) -> str:
        """How people call it."""
        return _name(self.number)


def _name(number: int) -> str:
    return "the set that comes with ms5ops" if number == 0 else f"version {number}"


@dataclass(frozen=True)
class Change:
    """One field that differs, in words: ``where`` is its key, "not there" stands for what one side lacks."""

    where: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.where}: {self.before} → {self.after}"


def parse(text: str) -> PolicySet:
    """The policy set that a text describes; ConfigError says which key is wrong, and refuses what is no policy."""
    size = len(text.encode("utf-8", errors="replace"))
    if size > MOST_BYTES:
        raise ConfigError(f"The policy set has {size:,} bytes, and {MOST_BYTES:,} are allowed.", "Give a policy file.")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise ConfigError(
                f"Line {number} of the policy set has {len(line):,} characters, and {LONGEST_LINE:,} are allowed.",
                "Give a policy file.",
            )
    document = strict.parse_toml(text, _NAME)
    if "sql_folder" in document:
        raise ConfigError(
            "The policy set names a sql_folder, which only a file on this machine may.",
            "Leave it out: bodies are those that come with ms5ops, or SELECTs in the policy set itself.",
        )
    return strict.validated(PolicySet, document, _NAME, {"sql_folder": paths.SQL})


def text_of(store: Store, number: int) -> str:
    """The text of a version; ControlError where there is none of that number."""
    if number == 0:
        return DEFAULT_FILE.read_text(encoding="utf-8")
    found = store.rows("policy_text", number=number)
    if not found:
        raise ControlError(f"There is no version {number} of the policy set.", "python -m ms5ops policy list")
    return str(found[0]["text"])


def versions(store: Store) -> tuple[Version, ...]:
    """All versions, newest first; the last is the set that comes with ms5ops."""
    found = [Version(**{**row, "created_at": read(row["created_at"])}) for row in store.rows("policy_versions")]
    default = Version(0, policy_hash(parse(text_of(store, 0))), "ms5ops", "The set that comes with ms5ops", None, None)
    return (*found, default)


def in_force_number(store: Store, environment: str) -> int:
    """The version that an environment is planned by, 0 where nobody chose."""
    found = store.row("in_force", environment=environment)
    return int(found["version"]) if found else 0


def in_force(store: Store, environment: str) -> Chosen:
    """The policy set that an environment is planned by; the one that comes with ms5ops where nobody chose."""
    found = store.rows("in_force", environment=environment)
    number = int(found[0]["version"]) if found else 0
    text = text_of(store, number)
    if not found:
        return Chosen(number, text, parse(text))
    return Chosen(number, text, parse(text), found[0]["chosen_by"], read(found[0]["chosen_at"]))


def judged_by(environment: str) -> PolicySet:
    """The set in force of this console's own store; Ms5opsError where it cannot be read."""
    return in_force(control_store(), environment).policy


def server_of(connected: Connected) -> Server:
    """The server of a connection, judged by the policy set in force. Raises as ``connect_server``.

    Where that set cannot be read, by the one that comes with ms5ops: the server's findings say so and why.
    """
    policy, doubt = None, None
    try:
        policy = judged_by(connected.name)
    except Ms5opsError as error:
        doubt = error
    return replace(connect_server(connected.database, connected.schema, policy), policy_doubt=doubt)


def save(
    store: Store,
    text: str,
    *,
    author: str,
    comment: str,
    based_on: int,
    now: datetime,
    measured: Measured | None = None,
) -> int:
    """Keep a policy set as the next version; its number.

    ConfigError where it is none, is unchanged, has no comment, or lint finds an error in it (it would fail on the
    server or destroy data); ControlError where the comment is too long.
    """
    policy = parse(text)
    comment = checked_comment(comment)
    if not comment:
        raise ConfigError("A policy set is kept with a comment: what was changed, and why.", "Write one.")
    if not compare(parse(text_of(store, based_on)), policy):
        raise ConfigError("Nothing differs from the policy set that it is based on.", "Change something first.")
    refuse_errors(lint(policy, measured))
    row = store.change(
        "add_policy_version",
        text=text, hash=policy_hash(policy), author=author, comment=comment, created_at=written(now),
        based_on=based_on or None,
    )[0]  # fmt: skip
    return int(row["number"])


def refuse_errors(found: Sequence[LintFinding]) -> None:
    """ConfigError with the first error that lint found, but for what somebody may well intend (``INTENDED``)."""
    for one in found:
        if one.severity == "error" and one.rule not in INTENDED:
            raise ConfigError(f"{one.subject}: {one.reason}", f"Correct {one.key}.")


def choose(store: Store, environment: str, number: int, *, by: str, now: datetime) -> None:
    """Plan an environment by that version from now on."""
    text_of(store, number)
    store.change("put_in_force", environment=environment, version=number, chosen_by=by, chosen_at=written(now))


def compare(before: PolicySet, after: PolicySet) -> tuple[Change, ...]:
    """What differs, field by field, in the order of the document."""
    return tuple(_differing("", _plain(before), _plain(after)))


def adjusted(text: str, changes: Mapping[tuple[str, ...], object]) -> str:
    """The text with the values at those keys (``("tables", "metric_hist", "drop_after")``) replaced; comments stay.

    ConfigError where the text is no TOML or has no such table.
    """
    try:
        document: Any = tomlkit.parse(text)
        for path, value in changes.items():
            here = document
            for part in path[:-1]:
                here = here[part]
            here[path[-1]] = value
        return str(tomlkit.dumps(document))
    except (TOMLKitError, KeyError, TypeError) as error:
        raise ConfigError(f"The policy set cannot be changed there ({error}).", "Edit its text instead.") from error


def _plain(policy: PolicySet) -> dict[str, Any]:
    prose: Any = {"body": {"sql", "name", "about", "source"}}
    values: dict[str, Any] = policy.model_dump(
        mode="json",
        by_alias=True,
        exclude={
            "sql_folder": True,
            "tables": {"__all__": {"name"}},
            "aggregates": {"__all__": {**prose, "name": True}},
            "views": {"__all__": {**prose, "name": True}},
            "jobs": {"__all__": {**prose, "name": True}},
            "indexes": {"__all__": {"name"}},
        },
    )
    return values


def _differing(where: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differing(f"{where}.{key}" if where else key, before.get(key), after.get(key))
        return
    yield Change(where, _text(before), _text(after))


def _text(value: Any) -> str:
    if value is None:
        return "not there"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return "there"
    if isinstance(value, list):
        return ", ".join(_text(_column(item)) for item in value) or "nothing"
    return str(value)


def _column(item: Any) -> Any:
    """An ordered column as people write it."""
    if isinstance(item, dict) and "column" in item:
        return f"{item['column']}{' DESC' if item.get('descending') else ''}"
    return item


INTERVALS = {
    "tables": ("chunk_interval", "compress_after", "drop_after"),
    "aggregates": ("start_offset", "end_offset", "schedule_interval"),
}
"""What the page's forms offer, per kind of entry."""


def form_rows(policy: PolicySet, kind: str) -> list[dict[str, Any]]:
    """One row per entry: its name, ``enabled`` for tables, and its intervals as text."""
    entries: Mapping[str, Any] = policy.tables if kind == "tables" else policy.aggregates
    rows = []
    for name, entry in entries.items():
        row: dict[str, Any] = {"name": name} | ({"enabled": entry.enabled} if kind == "tables" else {})
        for field in INTERVALS[kind]:
            value = getattr(entry, field)
            missing = "unbounded" if field == "start_offset" else "never"
            row[field] = missing if value is None else interval_sql(value)
        rows.append(row)
    return rows


def edits(
    kind: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, ...], Any]:
    """What a form changed, for ``adjusted``."""
    found: dict[tuple[str, ...], Any] = {}
    for old, new in zip(before, after, strict=True):
        for field, value in new.items():
            if field != "name" and value != old[field]:
                found[kind, str(old["name"]), field] = value.strip() if isinstance(value, str) else value
    return found
