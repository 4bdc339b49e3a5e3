"""The policy's definitions as this server writes them, so that a comparison does not stumble over spelling.

PostgreSQL stores a view or a predicate as a parse tree and writes it anew (``0.80`` becomes ``(0.80)::double
precision``, casts and aliases appear), in words that differ between versions. So each body and index is made once as a
temporary object, read back, and rolled back. Keeping a hash in the COMMENT instead would need no such twin, but would
not know what was made by hand or by psql, would miss a change by hand, and a lost comment would rebuild an aggregate.
"""

from ms5ops.errors import FeatureMissing, PrivilegeMissing
from ms5ops.observe.server import Server
from ms5ops.policy.document import IndexPolicy, PolicySet
from ms5ops.queries import query
from ms5ops.rollout.records import Twins, shape

WINDOW_MARK = "2000-01-01 00:00:00+00"
"""Stands for the cut-off of an index with a moving window."""

# Nothing is left of it: the transaction is rolled back. A body that cannot be made here says why instead.
_MAKER = """
CREATE FUNCTION pg_temp.ms5ops_twin(kind text, relation text, body text, OUT definition text, OUT problem text)
LANGUAGE plpgsql AS $function$
BEGIN
    IF kind = 'index' THEN
        EXECUTE format('CREATE TEMPORARY TABLE ms5ops_twin_table (LIKE %s)', relation);
        EXECUTE format('CREATE INDEX ms5ops_twin_index ON ms5ops_twin_table %s', body);
        definition := pg_get_indexdef('pg_temp.ms5ops_twin_index'::regclass);
        DROP TABLE pg_temp.ms5ops_twin_table;
    ELSE
        EXECUTE 'CREATE TEMPORARY VIEW ms5ops_twin_view AS ' || body;
        definition := pg_get_viewdef('pg_temp.ms5ops_twin_view'::regclass);
        DROP VIEW pg_temp.ms5ops_twin_view;
    END IF;
EXCEPTION WHEN others THEN
    problem := SQLERRM;
END
$function$
"""


def index_body(policy: PolicySet, index: IndexPolicy, cut_off: str = WINDOW_MARK) -> str:
    """``USING btree (...) INCLUDE (...) WHERE ...``: what follows the table's name in CREATE INDEX."""
    columns = ", ".join(map(str, index.columns))
    include = f" INCLUDE ({', '.join(index.include)})" if index.include else ""
    where = index.where
    if index.window is not None:
        where = f"{policy.tables[index.table].time_column} >= '{cut_off}'::timestamptz"
    return f"USING {index.method} ({columns}){include}" + (f" WHERE {where}" if where else "")


def read_twins(server: Server, policy: PolicySet) -> Twins:
    """Make, read and roll back the twins in one transaction.

    Raises PrivilegeMissing where the role may not make temporary objects, FeatureMissing on a standby.
    """
    if server.in_recovery:
        raise FeatureMissing(
            "A standby cannot be planned for: definitions are compared by temporary objects.",
            "Connect to the primary server.",
        )
    wanted = [("view", view.name, "", view.body.sql) for view in policy.views.values()]
    wanted += [("aggregate", one.name, "", one.body.sql) for one in policy.active_aggregates]
    wanted += [
        ("index", one.name, policy.qualified(one.table), index_body(policy, one)) for one in policy.active_indexes
    ]
    kinds, names, relations, bodies = (list(part) for part in zip(*wanted, strict=True)) if wanted else ([],) * 4
    parameters = {"kinds": kinds, "names": names, "relations": relations, "bodies": bodies}
    with server.database.session() as session:
        for statement in ("BEGIN", "SET TRANSACTION READ WRITE", _MAKER):
            session.run(statement)
        rows = session.rows(query("rollout", "twins", server.version).sql, parameters)
        session.run("ROLLBACK")
    made = {(row["kind"], row["name"]): row["definition"] for row in rows if row["definition"] is not None}
    return Twins(
        views={name: text for (kind, name), text in made.items() if kind == "view"},
        aggregates={name: text for (kind, name), text in made.items() if kind == "aggregate"},
        indexes={name: shape(text) for (kind, name), text in made.items() if kind == "index"},
        problems={row["name"]: row["problem"] for row in rows if row["problem"] is not None},
    )


def require_temporary(may_make_temporary: bool, role: str) -> None:
    """PrivilegeMissing where the role may not make the twins."""
    if not may_make_temporary:
        raise PrivilegeMissing(
            f"The role {role} may not make temporary objects, by which a plan compares definitions.",
            "Grant it: GRANT TEMPORARY ON DATABASE ... TO ...",
        )
