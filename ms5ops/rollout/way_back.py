# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""The short way back to the plain table that was found: a copy with its keys, indexes, grants and sequences."""

from ms5ops.rollout.operation import Inverse
from ms5ops.rollout.records import State, TableState, View
from ms5ops.rollout.sql_text import comment, grants, literal, name, split

SUFFIX = "__ms5ops_plain"


def plain_again(state: State, table: TableState) -> Inverse:
    """Statements that make the hypertable the captured plain table again, with all rows it holds by then.

    None where the table has more than they would bring back: then the online way does it, which carries that over too.
    """
    if table.has_row_security:
        return Inverse(impossible="the table has row security or is published, which a copy would not bring back")
    materialized = [view.name for view in table.views if view.is_materialized]
    if materialized:
        return Inverse(
            impossible=f"the materialized view {', '.join(materialized)} reads it, and would have to be made anew"
        )
    if table.extras or table.views:
        return Inverse()
    schema, bare = split(table.name)
    copy = f"{schema}.{bare}{SUFFIX}"
    columns = ", ".join(name(column.name) for column in table.columns if not column.generated)
    statements = [
        f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE",
        f"CREATE TABLE {copy} (LIKE {table.name} INCLUDING ALL EXCLUDING INDEXES)",
        _without_default_privileges(copy),
        f"INSERT INTO {copy} ({columns}) SELECT {columns} FROM {table.name}",
    ]
    statements += [f"ALTER SEQUENCE {one.name} OWNED BY NONE" for one in table.sequences]
    statements += [f"DROP TABLE {table.name}", f"ALTER TABLE {copy} RENAME TO {bare}"]
    # First of all: a sequence is owned by a column of its own owner's table only.
    statements += [f"ALTER TABLE {table.name} OWNER TO {name(table.owner)}"]
    statements += [
        f"ALTER TABLE {table.name} ALTER COLUMN {name(column.name)} DROP NOT NULL"
        for column in table.columns
        if not column.not_null
    ]
    statements += [
        f"ALTER TABLE {table.name} ADD CONSTRAINT {name(one.name)} {one.definition}"
        for one in table.constraints
        if one.kind != "c"
    ]
    indexes = [one for one in state.indexes if one.table == table.name]
    statements += [one.definition for one in indexes if not one.is_constraint]
    statements += [
        comment("INDEX", f"{schema}.{name(one.name)}", one.comment) for one in indexes if one.comment is not None
    ]
    statements += [
        comment("CONSTRAINT", f"{name(one.name)} ON {table.name}", one.comment)
        for one in table.constraints
        if one.comment is not None and one.kind != "c"
    ]
    statements += [f"ALTER SEQUENCE {one.name} OWNED BY {table.name}.{name(one.column)}" for one in table.sequences]
    statements += grants(table.name, table.grants)
    statements += [comment("TABLE", table.name, table.comment)] if table.comment is not None else []
    statements += [f"ALTER TABLE {table.name} SET ({', '.join(table.options)})"] if table.options else []
    statements += [one.definition for one in table.triggers]
    statements += [
        f"ALTER TABLE {table.name} DISABLE TRIGGER {name(one.name)}" for one in table.triggers if not one.enabled
    ]
    statements.append(f"ANALYZE {table.name}")
    return Inverse(tuple(statements))


def _without_default_privileges(table: str) -> str:
    """Takes away what ALTER DEFAULT PRIVILEGES has given on a new table."""
    return (
        "DO $block$ DECLARE taker text; BEGIN FOR taker IN"
        " SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END"
        f" FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x WHERE c.oid = {literal(table)}::regclass"
        " AND x.grantee <> c.relowner"
        f" LOOP EXECUTE format('REVOKE ALL ON TABLE {table} FROM %s', taker); END LOOP; END $block$"
    )


def view_again(view: View) -> list[str]:
    """What makes a captured view anew, with its owner, comment and grants."""
    options = f" WITH ({', '.join(view.options)})" if view.options else ""
    statements = [f"CREATE {_view_kind(view)} {view.name}{options} AS {view.definition.rstrip().rstrip(';')}"]
    statements += [f"ALTER {_view_kind(view)} {view.name} OWNER TO {name(view.owner)}"] if view.owner else []
    statements += [comment(_view_kind(view), view.name, view.comment)] if view.comment is not None else []
    return [*statements, *grants(view.name, view.grants)]


def _view_kind(view: View) -> str:
    return "MATERIALIZED VIEW" if view.is_materialized else "VIEW"
