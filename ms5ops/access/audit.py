"""The audit log: who did what, when, and with what outcome; and whether anybody has changed it since.

Each entry is signed together with the signature before it (HMAC-SHA256 with a key that lies in a file of its own), so
that a changed, removed, inserted or moved entry breaks the chain. What is cut off at the end is found by the head: the
number and signature of the newest entry, kept in a second file and written with every entry. Who holds the key *and*
both files can rewrite all of it, or put an old copy of both back; against that a head can be kept elsewhere (``Head``
as text, in every export) and given to ``verify``.
"""

import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from ms5ops.access.roles import Actor
from ms5ops.access.store import Row, Store, access_store
from ms5ops.errors import AuditError

Outcome = Literal["done", "begun", "refused", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
NOBODY = "nobody"
_LOG = "audit log"
TEXT_LIMIT = 4_000
"""Characters of one text in an entry: more is cut, and the entry says so."""


@dataclass(frozen=True)
class Head:
    """The number of the newest entry and its signature; ``12:9f3c...`` as text, to be kept elsewhere."""

    number: int
    mac: str

    def __str__(self) -> str:
        return f"{self.number}:{self.mac}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """The head from its text; AuditError where it is none."""
        number, _, mac = text.strip().partition(":")
        if not number.isascii() or not number.isdigit() or len(mac) != 64:
            raise AuditError(
                f"{text[:80]!r} is not the head of an audit log.", "Copy it whole from an export: 12:9f3c..."
            )
        return cls(int(number), mac)


BEFORE_ALL = Head(0, "0" * 64)


@dataclass(frozen=True)
class Entry:
    """One entry. ``subject`` is what it was done to (an account, a plan, ...); ``details`` are JSON values."""

    number: int
    at: datetime
    actor: str
    provider: str
    role: str
    action: str
    subject: str
    outcome: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Verification:
    """Whether the log is whole: one sentence in ``findings`` for each thing that is not as it was written."""

    entries: int
    head: Head
    findings: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def record(
    actor: Actor | None,
    action: str,
    subject: str,
    outcome: Outcome,
    details: Mapping[str, Any] | None = None,
    *,
    store: Store | None = None,
) -> Head:
    """Add an entry and return the new head. ``actor`` None: nobody was signed in.

    Text longer than TEXT_LIMIT is cut; ``details`` must be JSON values and hold no secret. Raises AuditError where the
    entry cannot be written: what it would have recorded must then not happen.
    """
    store = store or access_store()
    with _alone(store) as files:
        doubt = files.doubt()
        if doubt:
            _append(files, store, _entry_values(None, _LOG, "itself", "failed", {"found": doubt}))
        return _append(files, store, _entry_values(actor, action, subject, outcome, details))


def _entry_values(
    actor: Actor | None, action: str, subject: str, outcome: Outcome, details: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "actor": actor.name if actor else NOBODY,
        "provider": actor.provider if actor else "",
        "role": actor.role if actor else "",
        "action": action,
        "subject": subject,
        "outcome": outcome,
        "details": dict(details or {}),
    }


def _append(files: "_Files", store: Store, values: Mapping[str, Any]) -> Head:
    anchored = files.read_head()
    with store.changing() as change:
        last = _last(change)
        key = files.key(may_make=last == BEFORE_ALL and anchored is None)
        # After a log that was cut off, its numbers are not used again: the gap stays to be seen.
        before = anchored if anchored and anchored.number > last.number else last
        at = store.now().isoformat(timespec="milliseconds")
        text = _canonical({"number": before.number + 1, "at": at, **values})
        head = Head(before.number + 1, _sign(key, before.mac, text))
        change("add_entry", number=head.number, entry=text, mac=head.mac)
    # After the commit: a head that is one behind after a crash is right, one that is ahead looks like a theft.
    files.write_head(head, key)
    return head


def head(*, store: Store | None = None) -> Head:
    """The head as it is now; ``BEFORE_ALL`` where nothing was ever recorded."""
    row = (store or access_store()).row("last_entry")
    return Head(int(row["number"]), str(row["mac"])) if row else BEFORE_ALL


def key_name(*, store: Store | None = None) -> str | None:
    """What this log is known by wherever its folder is moved: of its key, and telling nothing of it. None: no key yet.

    Raises AuditError where the key cannot be read.
    """
    files = _Files((store or access_store()).file.parent)
    return sha256(files.key(may_make=False)).hexdigest()[:16] if files.key_file.exists() else None


def ready(*, store: Store | None = None) -> None:
    """Whether an entry could be written now; AuditError otherwise. To be asked before what is recorded afterwards."""
    with _alone(store or access_store()) as files:
        if files.head_file.exists():
            files.key(may_make=False)


def verify(*, kept: Sequence[Head] = (), store: Store | None = None) -> Verification:
    """Read the whole log and say what was changed, removed, moved or cut off since it was written.

    ``kept`` are heads that were noted elsewhere: each must still be part of the chain.
    """
    store = store or access_store()
    with _alone(store) as files, store.reading() as read:
        rows = read("entries", after=0)
        anchored = files.read_head()
        if not rows and anchored is None:
            return Verification(0, BEFORE_ALL, tuple(_lost(kept, {})))
        if not files.key_file.exists():
            return Verification(
                len(rows), BEFORE_ALL, (f"The key {files.key_file} is missing: nothing can be verified.",)
            )
        key = files.key(may_make=False)
        findings = _chain_findings(rows, key)
        findings += _head_findings(rows, anchored, files.head_is_signed(key))
    macs = {int(row["number"]): str(row["mac"]) for row in rows}
    findings += _lost(kept, macs)
    last = rows[-1] if rows else None
    head = Head(int(last["number"]), str(last["mac"])) if last else BEFORE_ALL
    return Verification(len(rows), head, tuple(findings))


def entries(*, limit: int | None = None, store: Store | None = None) -> list[Entry]:
    """The entries, newest first; ``limit`` None: all of them. An unreadable one is shown as that, not left out."""
    store = store or access_store()
    rows = store.rows("newest_entries", limit=-1 if limit is None else limit)
    return [_entry(row) for row in rows]


def _chain_findings(rows: Sequence[Row], key: bytes) -> list[str]:
    findings = []
    before = BEFORE_ALL
    for row in rows:
        number, mac = int(row["number"]), str(row["mac"])
        if number > before.number + 1:
            findings.append(_missing(before.number + 1, number - 1))
        elif not hmac.compare_digest(_sign(key, before.mac, str(row["entry"])), mac):
            findings.append(f"Entry {number} is not as it was written: it was changed, or moved from another place.")
        elif _inside(row, "number") != number:
            findings.append(f"Entry {number} was moved from another place.")
        elif (_inside(row, "action"), _inside(row, "outcome")) == (_LOG, "failed"):
            findings.append(f"When entry {number} was written, the log was not whole: it says what was found.")
        before = Head(number, mac)
    return findings


def _head_findings(rows: Sequence[Row], anchored: Head | None, is_signed: bool) -> list[str]:
    if anchored is None:
        return ["The log's head is missing: whether its end was cut off cannot be told."]
    if not is_signed:
        return ["The log's head is not as it was written."]
    last = int(rows[-1]["number"]) if rows else 0
    if last < anchored.number:
        return [_missing(last + 1, anchored.number)]
    if not any(row["number"] == anchored.number and row["mac"] == anchored.mac for row in rows):
        return [f"Entry {anchored.number} is not the one that the log's head names."]
    return []


def _lost(kept: Sequence[Head], macs: Mapping[int, str]) -> list[str]:
    return [
        f"Entry {head.number}, as it was noted elsewhere, is not in the log."
        for head in kept
        if macs.get(head.number) != head.mac
    ]


def _missing(first: int, last: int) -> str:
    return f"Entry {first} is missing." if first == last else f"Entries {first} to {last} are missing."


def _last(change: Callable[..., list[Row]]) -> Head:
    rows = change("last_entry")
    return Head(int(rows[0]["number"]), str(rows[0]["mac"])) if rows else BEFORE_ALL


def _inside(row: Row, key: str) -> object:
    try:
        return json.loads(str(row["entry"]))[key]
    except (ValueError, KeyError, TypeError):
        return None


def _entry(row: Row) -> Entry:
    number = int(row["number"])
    try:
        read = json.loads(str(row["entry"]))
        return Entry(
            number, datetime.fromisoformat(read["at"]), read["actor"], read["provider"], read["role"], read["action"],
            read["subject"], read["outcome"], dict(read["details"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        unread = {"unreadable": str(row["entry"])[:TEXT_LIMIT]}
        return Entry(number, datetime.fromtimestamp(0).astimezone(), "?", "", "", "?", "?", "?", unread)


def _canonical(values: Mapping[str, Any]) -> str:
    """One way to write it, in ASCII: what was signed can be compared byte by byte."""
    return json.dumps(_shortened(values), sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= TEXT_LIMIT else f"{value[:TEXT_LIMIT]} (cut; {len(value):,} characters)"
    if isinstance(value, Mapping):
        return {str(key)[:200]: _shortened(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(one) for one in value]
    return value


def _sign(key: bytes, before: str, text: str) -> str:
    return hmac.new(key, f"{before}\n{text}".encode("utf-8", "surrogatepass"), sha256).hexdigest()


@dataclass(frozen=True)
class _Files:
    """The key and the head, next to the store. ``MS5OPS_AUDIT_KEY`` names another file for the key."""

    folder: Path

    @property
    def key_file(self) -> Path:
        return Path(os.environ.get("MS5OPS_AUDIT_KEY") or self.folder / "audit.key")

    @property
    def head_file(self) -> Path:
        return self.folder / "audit.head"

    def key(self, *, may_make: bool) -> bytes:
        try:
            if may_make and not self.key_file.exists():
                _write_private(self.key_file, secrets.token_hex(32))
            return bytes.fromhex(self.key_file.read_text().strip())
        except (OSError, ValueError) as error:
            raise AuditError(
                f"The key of the audit log, {self.key_file}, cannot be read ({error}).",
                "Restore it from a copy; until then nothing that must be recorded can be done.",
            ) from error

    def read_head(self) -> Head | None:
        try:
            return Head.parse(self.head_file.read_text().split()[0])
        except FileNotFoundError:
            return None
        except (OSError, AuditError, IndexError, ValueError):
            return BEFORE_ALL  # verify() finds its signature wrong

    def doubt(self) -> str | None:
        """What is wrong with the head before it is written anew, which would hide it; None: nothing."""
        if not self.key_file.exists():
            return None  # the first entry makes the key; later its absence is an error
        if not self.head_file.exists():
            return "The log's head was missing."
        return None if self.head_is_signed(self.key(may_make=False)) else "The log's head was not as it was written."

    def head_is_signed(self, key: bytes) -> bool:
        try:
            head, mac = self.head_file.read_text().split()
            return hmac.compare_digest(_sign(key, "head", head), mac)
        except (OSError, ValueError, TypeError):
            return False

    def write_head(self, head: Head, key: bytes) -> None:
        try:
            _write_private(self.head_file, f"{head} {_sign(key, 'head', str(head))}\n")
        except OSError as error:
            raise AuditError(
                f"The head of the audit log, {self.head_file}, cannot be written ({error.strerror}).",
                "Make room there, or correct its permissions.",
            ) from error


@contextmanager
def _alone(store: Store) -> Iterator[_Files]:
    """Store and head change together: one process at a time, and the kernel frees the lock however it ends."""
    folder = store.file.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "audit.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise AuditError(
            f"The audit log in {folder} cannot be written ({error.strerror}).",
            "Name a folder that this user may write to in MS5OPS_STATE.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield _Files(folder)
    finally:
        os.close(handle)


def _write_private(file: Path, text: str) -> None:
    """Replace the file whole, readable for its owner alone."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(file)
