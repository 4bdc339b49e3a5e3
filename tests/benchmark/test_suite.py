"""The suite: every file runs on every state, twins and variants agree, hashes follow the texts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.benchmark import anchor, twins
from ms5ops.benchmark.explain import plan_facts
from ms5ops.benchmark.records import Group
from ms5ops.benchmark.suite import Question, bound, needs
from ms5ops.benchmark.suite_files import FOLDER, load_suite
from ms5ops.database import Answer, Database
from ms5ops.errors import BenchmarkError, QueryMissing
from ms5ops.queries import Query, catalogue, read_query
from tests.conftest import Sandboxes

SCHEMA = "factory_telemetry"
TARGETS = {
    # phase4.md: performance targets (p95), validation and success criteria.
    "recent": 100, "short-term": 500, "historical": 2_000, "long-term": 5_000, "aggregate": 50, "dashboard": 2_000,
    "report": 10_000,
}  # fmt: skip
NOON = datetime(2026, 3, 4, 12, 30, 15, tzinfo=UTC)


def every_question() -> list[Question]:
    suite = load_suite()
    return [*suite.questions, *(panel for page in suite.pages for panel in page.panels)]


def every_variant() -> list[Query]:
    return [variant for question in every_question() for variant in question.variants]


@pytest.fixture
def asked(database: Database) -> Iterator["Asked"]:
    with database.timed_session(10_000) as session:
        choice = anchor.choose(load_suite(), database, SCHEMA, None, datetime.now(UTC))
        there = anchor.relations(database, SCHEMA)

        def ask(variant: Query) -> Answer:
            return session.time(session.statement(*bound(variant, SCHEMA, choice.parameters)))

        yield Asked(choice, there, ask)


class Asked:
    def __init__(self, choice: anchor.Choice, there: frozenset[str], ask: object) -> None:
        self.choice, self.there = choice, there
        self._ask = ask

    def __call__(self, variant: Query) -> Answer:
        return self._ask(variant)  # type: ignore[operator,no-any-return]


def test_every_file_answers_on_every_state(asked: Asked, state: str) -> None:
    answered = 0
    for variant in every_variant():
        if needs(variant) <= asked.there:
            answer = asked(variant)
            assert answer.columns == tuple(variant.columns), variant.file
            assert answer.rows, f"{variant.file} gives no row in the sandbox"
            answered += 1
    aggregates = [variant for variant in every_variant() if needs(variant)]
    assert len(aggregates) >= 12
    assert answered == len(every_variant()) - (0 if state == "optimised" else len(aggregates))


def test_every_question_can_be_asked_before_phase4_or_says_what_it_needs(asked: Asked, state: str) -> None:
    for question in every_question():
        if state == "optimised" or question.group != "aggregate":
            assert question.missing(asked.there) == (), question.name
        else:
            assert question.missing(asked.there) == tuple(needs(question.variants[0]))


@pytest.mark.parametrize("state", ["optimised"])
def test_raw_data_and_aggregates_answer_alike(asked: Asked) -> None:
    names = {question.name: question for question in load_suite().questions}
    pairs = [
        (names[question.twin].variants[0], question.variants[0])
        for question in names.values()
        if question.twin and question.group == "aggregate"
    ]
    pairs += [(one.variants[-1], one.variants[0]) for one in every_question() if len(one.variants) == 2]
    assert len(pairs) >= 12
    for raw, aggregate in pairs:
        found = twins.compare(asked(raw).rows, asked(aggregate).rows, raw.columns)
        assert found.difference is None, f"{aggregate.file.name}: {found.difference}"
        assert found.rows > 0


@pytest.mark.parametrize("state", ["legacy"])
def test_choices_are_the_busiest_and_the_newest(asked: Asked, database: Database) -> None:
    newest = database.row(f"SELECT max(ts) AS newest FROM {SCHEMA}.metric_hist")["newest"]
    assert asked.choice.anchor == newest.replace(microsecond=0)
    counts = database.rows(
        f"SELECT metric_def_id::text AS id, count(*) AS samples FROM {SCHEMA}.metric_hist JOIN {SCHEMA}.metric_def d"
        " ON d.id = metric_def_id WHERE ts > :since AND ts <= :anchor AND d.value_type = 'REAL' GROUP BY 1",
        {"since": asked.choice.anchor - timedelta(hours=1), "anchor": asked.choice.anchor},
    )
    most = max(row["samples"] for row in counts)
    assert asked.choice.parameters["metric"] in {row["id"] for row in counts if row["samples"] == most}
    again = anchor.choose(load_suite(), database, SCHEMA, asked.choice.anchor, datetime.now(UTC))
    assert again == asked.choice


def test_a_database_without_samples_is_refused(sandboxes: Sandboxes) -> None:
    database = Database(sandboxes.target("legacy"), "write")
    tables = ("metric_def", "metric_hist")
    made = [f"CREATE TABLE hollow.{table} (LIKE {SCHEMA}.{table})" for table in tables]
    database.execute(["CREATE SCHEMA hollow", *made])
    try:
        with pytest.raises(BenchmarkError, match="holds no samples"):
            anchor.choose(load_suite(), database, "hollow", None, datetime.now(UTC))
    finally:
        database.execute("DROP SCHEMA hollow CASCADE")
        database.close()


def test_headers_tell_the_targets_of_phase4_and_name_twins_mutually() -> None:
    suite = load_suite()
    assert {question.group for question in suite.questions} | {"dashboard"} == set(TARGETS)
    for question in suite.questions:
        assert question.target_p95_ms == TARGETS[question.group], question.name
        assert all(set(one.columns) == set(question.variants[0].columns) for one in question.variants)
        assert (question.group == "aggregate") == bool(needs(question.variants[-1])), question.name
    assert {page.target_p95_ms for page in suite.pages} == {TARGETS["dashboard"]}
    assert all(len(page.panels) >= 4 for page in suite.pages)


def test_every_file_belongs_to_the_suite_and_is_named_after_its_query() -> None:
    used = {variant.file for variant in every_variant()}
    suite, other = load_suite(), {found.file for found in catalogue("measuring")}
    assert set(FOLDER.rglob("*.sql")) == used | {choice.file for choice in suite.choices.values()}
    for variant in every_variant():
        assert variant.file.name.split(".")[0] == variant.name
    source = "\n".join(file.read_text() for file in (paths.PROJECT / "ms5ops" / "benchmark").glob("*.py"))
    assert [file.stem for file in other if f'"{file.stem}"' not in source] == []


def test_texts_of_stored_history_are_the_same() -> None:
    """Months of runs hang on these: a changed text begins a new series, and is compared with nothing before it."""
    suite = load_suite()
    assert suite.suite_hash == "877c6bfd7da1e0e482a47ef690d6ab71d332b265edd31c3b85e723c6287f0baa"
    hashes = {question.name: question.text_hash[:16] for question in suite.questions}
    hashes |= {page.name: page.text_hash[:16] for page in suite.pages}
    assert hashes["latest_per_metric"] == "256b77f86022639d"
    assert hashes["monthly_oee_report"] == "d7bc1967ce121772"
    assert (hashes["plant_overview"], hashes["metric_trend"]) == ("c39d907077b81ea9", "84525a1df97b0714")
    assert suite.mix_hash is None


def test_groups_restrict_the_suite() -> None:
    wanted: list[Group] = ["recent", "dashboard"]
    only = load_suite().of_groups(wanted)
    assert {question.group for question in only.questions} == {"recent"}
    assert only.pages == load_suite().pages
    assert load_suite().of_groups(wanted[:1]).pages == ()
    assert load_suite().of_groups(()) == load_suite()


def test_the_hash_of_a_question_is_over_all_its_variants() -> None:
    question = next(one for one in load_suite().questions if len(one.variants) == 2)
    first, second = question.variants
    changed = replace(question, variants=(first, replace(second, sql=second.sql + " LIMIT 5")))
    assert changed.text_hash != question.text_hash
    assert replace(question, variants=(second, first)).text_hash == question.text_hash
    assert replace(question, about="other words").text_hash == question.text_hash
    assert replace(question, name="another").text_hash != question.text_hash


def test_a_header_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.sql"
    file.write_text("-- name: odd\n-- about: x\n-- columns: a int\n-- budget_ms: 5\n-- gruop: recent\nSELECT 1 AS a\n")
    with pytest.raises(QueryMissing, match="gruop"):
        read_query(file, ("group",))


def test_spans_are_whole_buckets_before_the_anchor() -> None:
    found = anchor.spans(NOON)
    assert found["this_minute"] == datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
    assert found["week_before_hour"] == datetime(2026, 2, 25, 12, tzinfo=UTC)
    assert found["month_before_day"] == datetime(2026, 2, 4, tzinfo=UTC)
    assert all(value <= NOON for value in found.values() if isinstance(value, datetime))


COLUMNS = {"equipment_code": "text", "bucket": "timestamptz", "value": "float", "parts": "count"}
HOURS = [NOON + timedelta(hours=number) for number in range(4)]


@pytest.mark.parametrize(
    ("raw", "aggregate", "rows", "says"),
    [
        ([("A", HOURS[0], 1.0, 2)], [("A", HOURS[0], 1.0 + 1e-9, 2)], 1, None),
        ([("A", HOURS[0], None, 2)], [("A", HOURS[0], None, 2)], 1, None),
        ([("A", HOURS[0], 1.0, 2)], [("A", HOURS[0], 1.0, 3)], 1, "parts of A, 2026-03-04T12:30"),
        ([("A", HOURS[0], 1.0, 2)], [("A", HOURS[0], None, 2)], 1, "1.0 from raw data, None from the aggregate"),
        # The aggregate ends an hour earlier, and keeps an hour that retention has taken from raw data.
        ([("A", h, 1.0, 2) for h in HOURS[1:]], [("A", h, 1.0, 2) for h in HOURS[:3]], 2, None),
        ([("A", h, 1.0, 2) for h in HOURS], [("A", h, 1.0, 2) for h in (HOURS[0], HOURS[3])], 4, "2 of 4 rows"),
        ([("A", HOURS[0], 1.0, 2)], [("A", HOURS[0], 1.0, 2), ("B", HOURS[0], 1.0, 2)], 1, "not in raw data"),
        ([("A", HOURS[3], 1.0, 2)], [("A", HOURS[0], 1.0, 2)], 0, "no bucket in common: raw data 20"),
    ],
)  # fmt: skip
def test_answers_are_compared_row_by_row(
    raw: list[tuple[object, ...]], aggregate: list[tuple[object, ...]], rows: int, says: str | None
) -> None:
    found = twins.compare(raw, aggregate, COLUMNS)
    assert found.rows == rows
    assert (found.difference is None) if says is None else (says in str(found.difference))


def test_a_plan_in_words_stays_the_same_while_chunks_come_and_go() -> None:
    def document(chunks: int) -> dict[str, object]:
        scans = [{"Node Type": "Aggregate", "Strategy": "Hashed", "Plans": [{"Node Type": "Seq Scan"}]}] * chunks
        append = {"Node Type": "Custom Scan", "Custom Plan Provider": "ChunkAppend", "Plans": scans}
        top = {"Node Type": "Gather", "Workers Launched": 2, "Shared Hit Blocks": 7, "Shared Read Blocks": 3}
        return {"Plan": {**top, "Plans": [append]}, "Planning Time": 1.5, "Execution Time": 9.25}

    few, many = plan_facts(document(3)), plan_facts(document(90))
    assert few.shape == "Gather > ChunkAppend > 3 x (HashAggregate > Seq Scan)"
    assert few.shape_hash == many.shape_hash
    assert few.shape != many.shape
    assert (few.planning_ms, few.server_ms, few.buffers_hit, few.buffers_read, few.workers) == (1.5, 9.25, 7, 3, 2)
    assert few.details()["jit"] is False
    assert plan_facts({**document(1), "JIT": {"Timing": {"Total": 12.5}}}).jit_ms == 12.5
