"""The audit log for other programs: CSV for a spreadsheet, JSON with everything that ``verify`` needs elsewhere."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from ms5ops.access.audit import Entry, Verification

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What begins a formula in some spreadsheet, full-width signs among them (OWASP, CSV Injection)."""
COLUMNS = ("number", "at", "actor", "provider", "role", "action", "subject", "outcome", "details")


def chosen(
    entries: Iterable[Entry],
    *,
    since: datetime | None = None,
    actions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    text: str = "",
) -> list[Entry]:
    """The entries that fit all that is given: not older than ``since``, of these actions and outcomes, with that text
    in who, what or the details (in any case of letters)."""
    wanted = text.casefold()
    return [
        entry
        for entry in entries
        if (since is None or entry.at >= since)
        and (not actions or entry.action in actions)
        and (not outcomes or entry.outcome in outcomes)
        and (not wanted or wanted in f"{entry.actor} {entry.action} {entry.subject} {details_text(entry)}".casefold())
    ]


def details_text(entry: Entry) -> str:
    """The details in one line: ``role: operator; reason: ...``."""
    return "; ".join(f"{key}: {_text(value)}" for key, value in entry.details.items())


def as_csv(entries: Iterable[Entry]) -> str:
    """One line an entry under ``COLUMNS``, every text ``harmless``."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        values = (
            entry.number, entry.at.isoformat(), entry.actor, entry.provider, entry.role, entry.action, entry.subject,
            entry.outcome, details_text(entry),
        )  # fmt: skip
        writer.writerow([harmless(value) for value in values])
    return out.getvalue()


def as_json(entries: Iterable[Entry], verification: Verification) -> str:
    """The entries, whether the log was whole, and its head, which shows later that nothing was cut off since."""
    values = [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries]
    found = {
        "intact": verification.intact,
        "findings": list(verification.findings),
        "head": str(verification.head),
        "entries": values,
    }
    return json.dumps(found, indent=2, default=str)


def harmless(value: object) -> object:
    """The value; a text that a spreadsheet would take for a formula with a ' before it."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ")[:1] in _FORMULA else value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
