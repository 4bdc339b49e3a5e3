"""One operation of a plan: what it does, why, how it is proved, how it is undone, what it locks and destroys.

Screen, command line, exported SQL and executor all work from these records alone. An operation is complete: an
executor needs neither the policy nor the state it was computed from.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Phase = Literal[1, 2, 3, 4, 5]
PHASES: dict[Phase, str] = {
    1: "Hypertables",
    2: "Compression",
    3: "Retention",
    4: "Indexes",
    5: "Continuous aggregates",
}

LongKind = Literal["convert", "compress", "refresh"]


@dataclass(frozen=True)
class Verification:
    """A query of one row and one column, and the value it gives once the operation is done (compared as text)."""

    sql: str
    expected: str


@dataclass(frozen=True)
class Inverse:
    """What brings the captured before-state back: statements in order, or the reason why there are none.

    A conversion without statements is taken back online, whatever the table's size: a copy under one lock would not
    bring all back. ``transactional`` as for the operation. ``loses`` names what does not come back although the
    statements run. ``embedded_statements`` replace the statements on the embedded engine where that differs.
    """

    statements: tuple[str, ...] = ()
    transactional: bool = True
    impossible: str | None = None
    loses: str | None = None
    embedded_statements: tuple[str, ...] | None = None

    def statements_for(self, *, embedded: bool) -> tuple[str, ...]:
        """What to run on a server, or on the embedded engine."""
        return self.embedded_statements if embedded and self.embedded_statements is not None else self.statements


@dataclass(frozen=True)
class Lock:
    """The strongest lock it takes: PostgreSQL's mode, on what, and for how long in words ("a moment", "the build")."""

    mode: str
    on: str
    duration: str


@dataclass(frozen=True)
class Estimate:
    """Extra disk while it runs (bytes) and duration (seconds); None where not known. ``basis`` says whence."""

    extra_bytes: int | None = None
    seconds: float | None = None
    basis: str = ""


@dataclass(frozen=True)
class Steps:
    """Work that is too long for one statement: the executor runs it piece by piece, with a commit after each.

    - "convert": ``table``, ``time_column``, ``chunk_interval``, ``primary_key`` (columns): an online conversion of a
      plain table. The operation's own ``statements`` are the short way, for a table small enough to lock.
    - "compress": ``hypertable``, ``older_than`` (interval): compress the eligible chunks, newest first.
    - "refresh": ``aggregate``, ``window`` (interval per piece), ``not_before`` (interval back from now, or None),
      ``not_before_at`` (instant in its place, or None).

    Relations are ``schema.name``, intervals PostgreSQL text.
    """

    kind: LongKind
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One step of a plan.

    ``key`` is unique in a plan and stable between plans ("02.metric_hist.compression_policy"). ``statements`` run in
    order; in one transaction together with the journal where ``transactional``, else one by one outside.
    ``embedded_statements`` replace them on the embedded engine where that differs. ``before`` is the captured
    state that the operation changes, as JSON values. ``destroys`` says which data are gone for good (None: none).
    ``requires`` are keys that must have been done before. ``advice`` operations are for the administrator: shown,
    checked by their verification, never executed.
    """

    key: str
    phase: Phase
    kind: str
    target: str
    title: str
    actual: str
    desired: str
    statements: tuple[str, ...]
    verification: Verification
    lock: Lock
    inverse: Inverse
    transactional: bool = True
    embedded_statements: tuple[str, ...] | None = None
    before: Any = None
    destroys: str | None = None
    estimate: Estimate = field(default_factory=Estimate)
    steps: Steps | None = None
    requires: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ()
    advice: bool = False

    @property
    def is_reversible(self) -> bool:
        """Whether a rollback restores the before-state."""
        return self.inverse.impossible is None

    @property
    def job_kind(self) -> str | None:
        """Of which kind the job is that it adds, alters or removes ("user": one of the policy); None without one."""
        if self.kind not in ("add_job", "alter_job", "remove_job"):
            return None
        kind = self.key.rpartition(".")[2].removesuffix("_policy")
        return "user" if kind == "job" else kind

    def statements_for(self, *, embedded: bool) -> tuple[str, ...]:
        """What to run on a server, or on the embedded engine."""
        return self.embedded_statements if embedded and self.embedded_statements is not None else self.statements

    def to_json(self) -> dict[str, Any]:
        """As JSON values; ``from_json`` gives back an equal operation."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Operation":
        """The operation that ``to_json`` wrote; TypeError or KeyError where it is not one."""
        steps = values["steps"]
        embedded = values["embedded_statements"]
        inverse = values["inverse"]
        undone = inverse.get("embedded_statements")
        return cls(
            **{
                **values,
                "statements": tuple(values["statements"]),
                "embedded_statements": None if embedded is None else tuple(embedded),
                "verification": Verification(**values["verification"]),
                "lock": Lock(**values["lock"]),
                "inverse": Inverse(
                    **{
                        **inverse,
                        "statements": tuple(inverse["statements"]),
                        "embedded_statements": None if undone is None else tuple(undone),
                    }
                ),
                "estimate": Estimate(**values["estimate"]),
                "steps": None if steps is None else Steps(**steps),
                "requires": tuple(values["requires"]),
                "privileges": tuple(values["privileges"]),
            }
        )
