"""What a database has instead of the policy set's tables, and what to do next."""

from ms5ops.observe.absence import absence, of_this_database
from ms5ops.observe.tables import Table
from tests.observe.examples import EXPECTED, table

MISSING = tuple(table(name=name, kind="missing") for name in EXPECTED)


def own(name: str, schema: str, **changed: object) -> Table:
    return table(name=name, schema=schema, expected=None, storage_schema=schema, storage_name=name, **changed)


def test_one_table_of_the_set_is_enough() -> None:
    assert absence((table(), *MISSING[1:])) is None
    assert absence((table(kind="plain table"), *MISSING[1:])) is None
    assert of_this_database((table(), *MISSING[1:])) == (table(), *MISSING[1:])


def test_a_set_without_tables_that_are_switched_on_is_about_no_others() -> None:
    assert absence(()) is None
    assert absence((own("conditions", "public"),)) is None


def test_hypertables_of_the_schema_are_what_a_set_is_written_for() -> None:
    tables = (*MISSING, own("conditions", "factory_telemetry"), own("hourly", "shop", kind="continuous aggregate"))
    found = absence(tables)
    assert found is not None
    assert (found.here, found.elsewhere) == (("conditions",), ())
    assert found.text == (
        "The schema factory_telemetry has none of the policy set's tables (metric_hist, oee_calculations, "
        "energy_consumption and 2 more). It has 1 hypertable of its own: conditions."
    )
    assert "python -m ms5ops policy adopt --out FILE" in found.next_step
    assert "DB_SCHEMA" not in found.next_step
    assert of_this_database(tables) == tables[len(MISSING) :]


def test_hypertables_elsewhere_name_the_schema_to_set() -> None:
    others = (own("a", "shop"), own("b", "shop"), own("c", "lab"))
    found = absence((*MISSING, *others))
    assert found is not None
    assert "in other schemas: shop (2 hypertables), lab (1 hypertable)" in found.text
    assert found.next_step == "Set the environment's schema (schema in ms5ops.toml, or DB_SCHEMA)."
    both = absence((*MISSING, *others, own("conditions", "factory_telemetry")))
    assert both is not None
    assert both.next_step.endswith("in other schemas: shop (2 hypertables), lab (1 hypertable).")
    assert "policy adopt" in both.next_step


def test_an_empty_database_is_asked_about_its_migrations() -> None:
    found = absence(MISSING)
    assert found is not None
    assert found.text.endswith("Nor has the database any hypertable.")
    assert "migrations have run" in found.next_step
    assert "--table NAME:TIME_COLUMN" in found.next_step
