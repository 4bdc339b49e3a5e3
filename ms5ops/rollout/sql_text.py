# ruff: noqa: S608 - generating SQL is its purpose; every value goes through literal() or name()
"""Pieces of SQL as statements of a plan hold them: names, literals, and the jobs that policies run as."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.records import Grant

LOCK_TIMEOUT = "3s"
"""How long a script waits for a lock before it gives up: longer, and every later query queues behind it."""


def literal(text: str) -> str:
    """A string constant; backslashes need no escape (standard_conforming_strings)."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """An identifier in quotes, as captured from a server."""
    return '"' + text.replace('"', '""') + '"'


def interval(value: timedelta | str) -> str:
    """``INTERVAL '7 days'``."""
    return f"INTERVAL {literal(value if isinstance(value, str) else interval_sql(value))}"


def array(texts: Iterable[str]) -> str:
    """``ARRAY['a', 'b']::text[]``."""
    return f"ARRAY[{', '.join(map(literal, texts))}]::text[]"


def jsonb(value: Mapping[str, Any]) -> str:
    """A jsonb constant, keys in order."""
    return literal(json.dumps(value, sort_keys=True)) + "::jsonb"


def split(qualified: str) -> tuple[str, str]:
    """``schema.name`` in its two parts."""
    schema, _, bare = qualified.partition(".")
    return schema, bare


def is_relation(target: str, alias: str) -> str:
    """The condition that a row of jobs, chunks or hypertables is of that relation."""
    schema, bare = split(target)
    return f"{alias}.hypertable_schema = {literal(schema)} AND {alias}.hypertable_name = {literal(bare)}"


def is_aggregate(target: str, alias: str) -> str:
    """The condition that a row of timescaledb_information.continuous_aggregates is that aggregate."""
    schema, bare = split(target)
    return f"{alias}.view_schema = {literal(schema)} AND {alias}.view_name = {literal(bare)}"


def of_aggregate(target: str, alias: str) -> str:
    """The same for an aggregate, whose jobs and chunks name it or its materialised hypertable, by version."""
    return (
        f"({alias}.hypertable_schema, {alias}.hypertable_name) IN (SELECT n.schema_name, n.bare_name"
        " FROM timescaledb_information.continuous_aggregates a,"
        " LATERAL (VALUES (a.view_schema, a.view_name),"
        " (a.materialization_hypertable_schema, a.materialization_hypertable_name)) n (schema_name, bare_name)"
        f" WHERE {is_aggregate(target, 'a')})"
    )


def storage(target: str) -> str:
    """The materialised hypertable of an aggregate, as a scalar query of type regclass."""
    return (
        "(SELECT format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass"
        f" FROM timescaledb_information.continuous_aggregates a WHERE {is_aggregate(target, 'a')})"
    )


def grants(relation: str, given: Sequence[Grant]) -> tuple[str, ...]:
    """What gives those privileges back; ``relation`` is ready for SQL."""
    statements = []
    for one in given:
        column = f" ({name(one.column)})" if one.column else ""
        to = "PUBLIC" if one.grantee == "PUBLIC" else name(one.grantee)
        option = " WITH GRANT OPTION" if one.grantable else ""
        statements.append(f"GRANT {one.privilege}{column} ON {relation} TO {to}{option}")
    return tuple(statements)


def comment(kind: str, target: str, text: str | None) -> str:
    """COMMENT ON; None takes it away."""
    return f"COMMENT ON {kind} {target} IS {'NULL' if text is None else literal(text)}"


def per_chunk(chunks: str, call: str) -> str:
    """A block that runs ``call`` (of the variable ``chunk``) for each row of the query, with a commit after each.

    Outside a transaction only: one big transaction would hold every chunk's lock to its end (TS#4432).
    """
    return (
        f"DO $block$\nDECLARE\n    chunk regclass;\nBEGIN\n    FOR chunk IN {chunks}\n    LOOP\n"
        f"        PERFORM {call};\n        COMMIT;\n    END LOOP;\nEND\n$block$"
    )


def of_chunks(target: str, condition: str, *, newest_first: bool = True) -> str:
    """A query for chunks of a hypertable as regclass; ``condition`` is on ``c``."""
    return (
        "SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass FROM timescaledb_information.chunks c"
        f" WHERE {is_relation(target, 'c')} AND {condition} ORDER BY c.range_start{' DESC' if newest_first else ''}"
    )
