"""All that belongs to a table besides its rows, and the statements that give it to the table's successor.

The definition is read once, kept with the conversion, and compared again under the lock of the swap: what someone
changed meanwhile must not be lost.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ms5ops.queries import parse_version
from ms5ops.rollout.conversion_names import identifier, identifiers, literal, qualified, role, suffixed
from ms5ops.rollout.conversion_work import ConversionRefused, Row, Work

FOREIGN_KEYS_TO_HYPERTABLES = (2, 16, 0)
"""Since TimescaleDB 2.16 a plain table may have a foreign key to a hypertable."""

_TIME_TYPES = ("timestamp with time zone", "timestamp without time zone", "date")


@dataclass(frozen=True)
class Request:
    """What is asked for: a hypertable on ``time_column``, or (direction "plain") a plain table.

    ``primary_key`` is the successor's, in order. ``null_times``: what becomes of rows without a time: "refuse",
    "delete" (they stay behind in the kept table) or "fill" with ``null_time_value``. ``time_nullable``: for a plain
    table, whether its time column may be NULL.
    """

    schema: str
    table: str
    time_column: str
    primary_key: tuple[str, ...]
    direction: str = "hypertable"
    chunk_interval: str = "7 days"
    null_times: str = "refuse"
    null_time_value: str | None = None
    time_nullable: bool = False

    @classmethod
    def of(cls, parameters: dict[str, Any], direction: str) -> "Request":
        """From the parameters of an operation; ConversionRefused where one is missing, unknown or of no sense."""
        values = dict(parameters)
        values["schema"], values["table"] = named(parameters)
        try:
            values["primary_key"] = tuple(values["primary_key"])
            found = cls(**{**values, "direction": direction})
        except (KeyError, TypeError) as error:
            raise ConversionRefused(
                f"The parameters of the conversion are wrong: {error}.",
                "Give schema, table, time_column, chunk_interval and primary_key.",
            ) from error
        if found.null_times not in ("refuse", "delete", "fill") or (
            (found.null_times == "fill") != (found.null_time_value is not None)
        ):
            raise ConversionRefused(
                "null_times must be refuse, delete, or fill together with null_time_value.", "Correct the parameters."
            )
        if direction == "hypertable" and found.time_column not in found.primary_key:
            raise ConversionRefused(
                "The primary key of a hypertable must contain its time column.", "Correct primary_key."
            )
        return found


def named(parameters: dict[str, Any]) -> tuple[str, str]:
    """Schema and table of an operation's parameters: apart, or as ``table`` = "schema.table" (up to the first dot)."""
    schema, table = parameters.get("schema"), parameters.get("table")
    if schema is None and table is not None and "." in table:
        schema, _, table = str(table).partition(".")
    if schema is None or table is None:
        raise ConversionRefused("The parameters do not name schema and table.", "Give both.")
    return str(schema), str(table)


@dataclass(frozen=True)
class Definition:
    """A table's definition, as the queries of sql/rollout/conversion give it (JSON values)."""

    schema: str
    table: str
    relation: Row
    columns: list[Row]
    constraints: list[Row]
    indexes: list[Row]
    triggers: list[Row]
    views: list[Row]
    grants: list[Row]
    sequences: list[Row]
    statistics_objects: list[Row]
    referencing: list[Row]

    @classmethod
    def read(cls, work: Work, schema: str, table: str) -> "Definition":
        """Within a transaction; ConversionRefused where there is no such table."""
        # With nothing in the search path the server writes every name in its definitions with its schema.
        path = work.session.rows("SHOW search_path")[0]["search_path"]
        work.session.run("SET LOCAL search_path = ''")
        found = work.ask("relation", schema=schema, table=table)
        if not found:
            raise ConversionRefused(f"There is no table {schema}.{table}.", "Check the names.")
        definition = cls(
            schema=schema,
            table=table,
            relation=found[0],
            **{name: work.ask(name, schema=schema, table=table) for name in _PARTS},
        )
        work.session.rows("SELECT set_config('search_path', :path, true)", {"path": path})
        return definition

    @classmethod
    def of_json(cls, values: Row) -> "Definition":
        """What ``asdict`` wrote."""
        return cls(**values)

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self))

    def difference(self, other: "Definition") -> list[str]:
        """Which parts of two definitions differ."""
        mine, others = asdict(self), asdict(other)
        for changing in ("rows", "size_bytes"):
            mine["relation"].pop(changing)
            others["relation"].pop(changing)
        return [name.replace("_", " ") for name in mine if mine[name] != others[name]]

    @property
    def name(self) -> str:
        """``schema.table``, quoted."""
        return qualified(self.schema, self.table)

    @property
    def key(self) -> Row | None:
        """The primary key's constraint."""
        return next((row for row in self.constraints if row["kind"] == "p"), None)

    def column(self, name: str) -> Row | None:
        """A column by name."""
        return next((row for row in self.columns if row["name"] == name), None)

    @property
    def stored_columns(self) -> list[str]:
        """The columns that can be written."""
        return [row["name"] for row in self.columns if not row["generated"]]


_PARTS = (
    "columns",
    "constraints",
    "indexes",
    "triggers",
    "views",
    "grants",
    "sequences",
    "statistics_objects",
    "referencing",
)


# What stands in the way -------------------------------------------------------------------------------------


def refusals(definition: Definition, request: Request, others: list[str], timescaledb: str) -> list[str]:
    """Why the table cannot be converted, in sentences; none where it can. ``others`` are the query obstacles' words."""
    relation, to_hypertable = definition.relation, request.direction == "hypertable"
    found = [f"{what} depends on it and cannot be carried over" for what in others]
    facts = [
        (relation["kind"] != "r", "it is not a table"),
        (to_hypertable and relation["is_hypertable"], "it is a hypertable already"),
        (not to_hypertable and not relation["is_hypertable"], "it is a plain table already"),
        (relation["is_part"], "it is part of a partitioned or inherited table"),
        (relation["is_typed"], "it is a table of a composite type"),
        (relation["row_security"], "it has row security, which hides rows from the copy"),
        (relation["persistence"] != "p", "it is temporary or unlogged"),
        (relation["access_method"] not in (None, "heap"), f"its access method is {relation['access_method']}"),
    ]
    found += [words for is_so, words in facts if is_so]
    found += [
        f"the constraint {row['name']} was never validated"
        for row in definition.constraints
        if not row["valid"] and row["kind"] in "cf"
    ]
    found += [
        f"its index {row['name']} is invalid: drop or rebuild it" for row in definition.indexes if not row["valid"]
    ]
    found += _key_refusals(definition, request)
    keys = _unique_keys(definition, request)
    for row in definition.referencing:
        of = f"the foreign key {row['name']} of {row['schema_name']}.{row['table_name']}"
        if (row["schema_name"], row["table_name"]) == (definition.schema, definition.table):
            found.append(f"{of} points to the table itself")
        elif frozenset(row["columns"]) not in keys:
            found.append(
                f"{of} points to ({', '.join(row['columns'])}), which will not be a unique key of its own any more"
            )
        elif to_hypertable and parse_version(timescaledb) < FOREIGN_KEYS_TO_HYPERTABLES:
            found.append(f"{of} points to it, which a hypertable allows since TimescaleDB 2.16 only")
    return found


def _key_refusals(definition: Definition, request: Request) -> list[str]:
    missing = [name for name in (*request.primary_key, request.time_column) if definition.column(name) is None]
    if missing:
        return [f"it has no column {name}" for name in missing]
    found = []
    time = definition.column(request.time_column)
    if time is None or time["type"].replace("(6)", "").split("(")[0] not in _TIME_TYPES:
        found.append(f"{request.time_column} is not of a type of time, but {time and time['type']}")
    key = definition.key
    wanted = set(request.primary_key) | {request.time_column}
    if key is None:
        found.append("it has no primary key, so changes during the copy could not be followed; the short way can do it")
    elif not set(key["columns"]) <= wanted:
        found.append(f"its primary key ({', '.join(key['columns'])}) is not part of the planned one")
    return found


def _unique_keys(definition: Definition, request: Request) -> set[frozenset[str]]:
    keys = {frozenset(row["columns"]) for row in definition.constraints if row["kind"] == "u"}
    return keys | {frozenset(request.primary_key)}


# The successor ----------------------------------------------------------------------------------------------


def creation(definition: Definition, request: Request, work_schema: str, server: Row) -> list[str]:
    """Statements that make the empty successor in ``work_schema``, under the table's own name.

    In a schema of its own the successor's constraints and indexes have their final names from the beginning, so
    that the swap need not rename them (which would reach every chunk).
    """
    old, new = definition.name, qualified(work_schema, definition.table)
    time = identifier(request.time_column)
    kinds = ["DEFAULTS", "CONSTRAINTS", "GENERATED", "IDENTITY", "STORAGE", "COMMENTS"]
    kinds += ["COMPRESSION"] if server["version_num"] >= 140000 else []
    tablespace = definition.relation["tablespace"]
    key = definition.key or {"name": suffixed(definition.table, "_pkey"), "comment": None}
    statements = [
        f"CREATE TABLE {new} (LIKE {old} {' '.join(f'INCLUDING {kind}' for kind in kinds)})"
        + (f" TABLESPACE {identifier(tablespace)}" if tablespace else "")
    ]
    options = [*(definition.relation["options"] or []), *_toast(definition.relation["toast_options"] or [])]
    if options:
        statements.append(f"ALTER TABLE {new} SET ({', '.join(map(_option, options))})")
    nullable = request.direction == "plain" and request.time_nullable
    statements += [
        f"ALTER TABLE {new} ALTER COLUMN {time} {'DROP' if nullable else 'SET'} NOT NULL",
        f"ALTER TABLE {new} ADD CONSTRAINT {identifier(key['name'])} PRIMARY KEY ({identifiers(request.primary_key)})",
    ]
    if request.direction == "hypertable":
        statements.append(
            f"SELECT {identifier(server['schema_name'])}.create_hypertable({literal(new)}::regclass,"
            f" {literal(request.time_column)}::name, chunk_time_interval => interval {literal(request.chunk_interval)},"
            " create_default_indexes => false)"
        )
    for row in definition.columns:
        alter = f"ALTER TABLE {new} ALTER COLUMN {identifier(row['name'])} SET"
        if row["statistics"] is not None:
            statements.append(f"{alter} STATISTICS {row['statistics']}")
        if row["options"]:
            statements.append(f"{alter} ({', '.join(map(_option, row['options']))})")
    identity = {"f": "FULL", "n": "NOTHING"}.get(definition.relation["replica_identity"])
    statements += [f"ALTER TABLE {new} REPLICA IDENTITY {identity}"] if identity else []
    # While it is empty: added later, a foreign key would lock the table it points to for as long as all rows
    # take to be checked; now each chunk gets it when it is made.
    statements += [
        f"ALTER TABLE {new} ADD CONSTRAINT {identifier(row['name'])} {row['definition']}"
        for row in definition.constraints
        if row["kind"] == "f"
    ]
    statements += [
        f"COMMENT ON CONSTRAINT {identifier(row['name'])} ON {new} IS {literal(row['comment'])}"
        for row in definition.constraints
        if row["comment"] and row["kind"] in "pf"
    ]
    if definition.relation["comment"]:
        statements.append(f"COMMENT ON TABLE {new} IS {literal(definition.relation['comment'])}")
    return statements


def ownership(definition: Definition, work_schema: str, present: list[Row], default_grants: bool) -> list[str]:
    """Owner and grants for the successor. ``present`` are the grants that default privileges gave it."""
    new = qualified(work_schema, definition.table)
    statements = [f"ALTER TABLE {new} OWNER TO {identifier(definition.relation['owner'])}"]
    if definition.relation["default_grants"] and default_grants:
        return statements + [_grant(row, new) for row in definition.grants]
    owner = definition.relation["owner"]
    takers = {row["grantee"] for row in present} | {owner}
    statements += [f"REVOKE ALL ON {new} FROM {role(taker)}" for taker in sorted(takers, key=str)]
    if definition.relation["default_grants"]:
        statements.append(f"GRANT ALL ON {new} TO {role(owner)}")
    return statements + [_grant(row, new) for row in definition.grants]


def indexing(definition: Definition, work_schema: str) -> list[tuple[str, str, bool]]:
    """What is built on the filled successor: name, statement, and whether it may be built chunk by chunk."""
    new = qualified(work_schema, definition.table)
    found = [
        (row["name"], f"ALTER TABLE {new} ADD CONSTRAINT {identifier(row['name'])} {row['definition']}", False)
        for row in definition.constraints
        if row["kind"] in "ux"
    ]
    for row in definition.indexes:
        if row["of_constraint"]:
            continue
        head: str = row["head"]
        tail = _after(row["definition"], head + row["on_clause"])
        found.append((row["name"], f"{head} ON {new} {tail}", not head.startswith("CREATE UNIQUE ")))
    return found


def chunkwise(statement: str, table: str) -> str:
    """CREATE INDEX on ``table`` so that each chunk is built in a transaction of its own (outside a transaction)."""
    head, on, tail = statement.partition(f" ON {table} USING ")
    at = _closing(tail, tail.index("("))
    if tail.startswith(" INCLUDE (", at):
        at = _closing(tail, at + len(" INCLUDE "))
    if tail.startswith(" NULLS NOT DISTINCT", at):
        at += len(" NULLS NOT DISTINCT")
    if tail.startswith(" WITH (", at):
        at += len(" WITH (")
        return f"{head}{on}{tail[:at]}timescaledb.transaction_per_chunk, {tail[at:]}"
    return f"{head}{on}{tail[:at]} WITH (timescaledb.transaction_per_chunk){tail[at:]}"


def _closing(text: str, start: int) -> int:
    """The place behind the parenthesis that closes the one at ``start``; quoted text does not count."""
    depth, quote = 0, ""
    for place in range(start, len(text)):
        sign = text[place]
        if quote:
            quote = "" if sign == quote else quote  # a doubled quote closes and opens again
        elif sign in "'\"":
            quote = sign
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                return place + 1
    raise ConversionRefused(f"The index definition {text!r} cannot be read.", "Report this.")


def index_remarks(definition: Definition, work_schema: str) -> list[str]:
    """Comments on what ``indexing`` has built, and which index the table is clustered on."""
    new = qualified(work_schema, definition.table)
    statements = [
        f"COMMENT ON CONSTRAINT {identifier(row['name'])} ON {new} IS {literal(row['comment'])}"
        for row in definition.constraints
        if row["comment"] and row["kind"] in "ux"
    ]
    for row in definition.indexes:
        if row["comment"]:
            index = qualified(work_schema, row["name"])
            statements.append(f"COMMENT ON INDEX {index} IS {literal(row['comment'])}")
        if row["clustered"] and (definition.key or {}).get("index_name") != row["name"]:
            statements.append(f"ALTER TABLE {new} CLUSTER ON {identifier(row['name'])}")
    return statements


def triggers(definition: Definition, schema: str) -> list[str]:
    """The users' triggers, on the table of that name in ``schema``."""
    table = qualified(schema, definition.table)
    statements = []
    for row in definition.triggers:
        before, mark, after = row["definition"].partition(row["head"])
        events, on, rest = after.partition(row["on_clause"])
        if not (mark and on):
            raise ConversionRefused(f"The definition of the trigger {row['name']} cannot be read.", "Report this.")
        statements.append(f"{before}{mark}{events} ON {table} {rest}")
        state = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}.get(row["enabled"])
        if state:
            statements.append(f"ALTER TABLE {table} {state} TRIGGER {identifier(row['name'])}")
        if row["comment"]:
            statements.append(f"COMMENT ON TRIGGER {identifier(row['name'])} ON {table} IS {literal(row['comment'])}")
    return statements


def views(definition: Definition) -> list[str]:
    """Binds the views to the table that now has the name: replaced in place, they keep owner, grants and dependents."""
    statements = []
    for row in definition.views:
        options = f" WITH ({', '.join(map(_option, row['options']))})" if row["options"] else ""
        name = qualified(row["schema_name"], row["name"])
        statements.append(f"CREATE OR REPLACE VIEW {name}{options} AS {row['definition']}")
    return statements


def view_locks(definition: Definition) -> list[str]:
    """Locks each view alone (ACCESS EXCLUSIVE), and changes nothing: LOCK TABLE would go on to the tables below."""
    return [
        f"ALTER VIEW {qualified(row['schema_name'], row['name'])} OWNER TO {identifier(row['owner'])}"
        for row in definition.views
    ]


def references(definition: Definition) -> tuple[list[str], list[str]]:
    """Statements that take the foreign keys of other tables off the predecessor, and point them to the successor."""
    off, on = [], []
    for row in definition.referencing:
        table = qualified(row["schema_name"], row["table_name"])
        name = identifier(row["name"])
        off.append(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        # NOT VALID spares the lock of the swap a look at all rows; they are checked afterwards.
        late = "" if row["definition"].endswith(" NOT VALID") else " NOT VALID"
        on.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {row['definition']}{late}")
        if row["comment"]:
            on.append(f"COMMENT ON CONSTRAINT {name} ON {table} IS {literal(row['comment'])}")
    return off, on


def statistics(definition: Definition, kept_schema: str, suffix: str) -> list[str]:
    """Gives the extended statistics to the table of that name; the predecessor's go with it, or get a suffix."""
    statements = []
    for row in definition.statistics_objects:
        name = qualified(row["schema_name"], row["name"])
        if kept_schema == definition.schema:
            statements.append(f"ALTER STATISTICS {name} RENAME TO {identifier(suffixed(row['name'], suffix))}")
        else:
            statements.append(f"ALTER STATISTICS {name} SET SCHEMA {identifier(kept_schema)}")
        statements.append(row["definition"])
        if row["comment"]:
            statements.append(f"COMMENT ON STATISTICS {name} IS {literal(row['comment'])}")
    return statements


def _after(text: str, head: str) -> str:
    if not text.startswith(head):
        raise ConversionRefused(f"The index definition {text!r} cannot be read.", "Report this.")
    return text[len(head) :]


def _toast(options: list[str]) -> list[str]:
    return [f"toast.{option}" for option in options]


def _option(option: str) -> str:
    """``name=value`` of a catalogue as a statement wants it."""
    name, _, value = option.partition("=")
    return f"{name}={literal(value)}"


def _grant(row: Row, table: str) -> str:
    columns = f" ({identifier(row['column_name'])})" if row["column_name"] else ""
    grantable = " WITH GRANT OPTION" if row["grantable"] else ""
    return f"GRANT {row['privilege']}{columns} ON {table} TO {role(row['grantee'])}{grantable}"
