"""What databases are called: for the history, and for people."""

import pytest

from ms5ops.environments import source_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("db1.plant:5432/telemetry/factory_telemetry", "telemetry on db1.plant:5432, schema factory_telemetry"),
        ("/var/run/postgresql:5432/telemetry/s", "telemetry on /var/run/postgresql:5432, schema s"),
        ("sandbox filled at 2026-11-23T18:17:31.068888+02:00", "sandbox, filled 2026-11-23 16:17:31 UTC"),
        ("sandbox not filled", "sandbox not filled"),
        ("sandbox filled at some time", "sandbox filled at some time"),
        ("an old report/of/somebody", "an old report/of/somebody"),
    ],
)
def test_a_source_is_told_in_words(source: str, text: str) -> None:
    assert source_text(source) == text
