"""SQL that mends indexes, as text to copy: the console never runs it."""

import re
from collections.abc import Sequence

from ms5ops.observe.indexes import Index


def drop_sql(indexes: Sequence[Index]) -> str:
    """DROP INDEX for each of those that may be dropped; on a hypertable that drops it on all chunks."""
    return "\n".join(f"DROP INDEX {quoted(one.schema, one.name)};" for one in indexes if one.may_be_dropped)


def rebuild_sql(index: Index) -> str | None:
    """Drop and build again, on a hypertable chunk by chunk; None where a constraint holds it.

    ``transaction_per_chunk`` holds up writers to one chunk at a time and must run outside a transaction block.
    """
    if not index.may_be_dropped:
        return None
    definition = index.definition
    if index.chunks:
        option = " WITH (timescaledb.transaction_per_chunk)"
        head, where, predicate = definition.partition(" WHERE ")
        existing = re.search(r" WITH \(([^)]*)\)", head)
        head = (
            head.replace(existing[0], f" WITH ({existing[1]}, timescaledb.transaction_per_chunk)")
            if existing
            else head + option
        )
        definition = f"{head}{where}{predicate}"
    return f"-- outside a transaction block, in the maintenance window\n{drop_sql([index])}\n{definition};"


def reindex_sql(index: Index) -> str:
    """Rebuild it without holding up writers: on a hypertable, chunk index by chunk index (psql's gexec runs each line).

    A chunk's index is found by its name, which ends in the index's own.
    """
    if not index.chunks:
        return f"REINDEX INDEX CONCURRENTLY {quoted(index.schema, index.name)};"
    schema, _, table = index.definition.partition(" ON ")[2].partition(" USING ")[0].rpartition(".")
    pattern = re.sub(r"([\\_%])", r"\\\1", index.name).replace("'", "''")
    relation = f"{schema}.{table}".removeprefix("ONLY ").replace("'", "''")
    return (
        "-- in psql, outside a transaction block: one statement per chunk, largest first\n"
        "SELECT format('REINDEX INDEX CONCURRENTLY %I.%I', n.nspname, k.relname)\n"
        "FROM pg_inherits i\n"
        "JOIN pg_index x ON x.indrelid = i.inhrelid\n"
        "JOIN pg_class k ON k.oid = x.indexrelid\n"
        "JOIN pg_namespace n ON n.oid = k.relnamespace\n"
        f"WHERE i.inhparent = '{relation}'::regclass AND k.relname LIKE '%\\_{pattern}'\n"
        "ORDER BY pg_relation_size(k.oid) DESC\n"
        "\\gexec"
    )


def quoted(schema: str, name: str) -> str:
    """A relation's name as SQL text to copy (unlike ``server.quoted``, which is for statements with parameters)."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
