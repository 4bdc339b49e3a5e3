from datetime import UTC, datetime
from pathlib import Path

import pytest

from ms5ops.config import SANDBOX, Costs, MaintenanceWindow, load_settings
from ms5ops.errors import ConfigError

WHOLE = """
default_environment = "staging"

[console]
snapshot_every_minutes = 5

[environments.production]
host = "db.example"
port = 5433
database = "factory_telemetry"
sslmode = "verify-full"
protected = true
maintenance_window = "22:00-06:00 Europe/Berlin"
read = { user = "ms5_read", password_env = "MS5_READ_PASSWORD" }
deploy = { user = "ms5_deploy", password_file = "secret" }

[environments.staging]
host = "staging.example"
read = { user = "ms5_read" }
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "ms5ops.toml"
    file.write_text(text)
    return file


def test_nothing_configured_means_the_sandbox(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path / "absent.toml")
    assert settings.default == SANDBOX
    assert settings.default_origin == "nothing else is configured"


def test_whole_file(tmp_path: Path) -> None:
    settings = load_settings({}, write(tmp_path, WHOLE))
    production = settings.environment("production")
    assert settings.default == "staging"
    assert settings.console.snapshot_every_minutes == 5
    assert production.protected
    assert production.deploy is not None
    assert production.deploy.user != production.read.user
    assert str(production.maintenance_window) == "22:00-06:00 Europe/Berlin"


def test_the_variables_users_export_win_over_the_file(tmp_path: Path) -> None:
    variables = {"DB_HOST": "10.0.0.5", "DB_PORT": "6543", "DB_USER": "ms5", "DB_PASSWORD": "hidden"}
    settings = load_settings(variables, write(tmp_path, WHOLE))
    found = settings.environment(settings.default)
    assert (found.host, found.port, found.database, found.read.user) == ("10.0.0.5", 6543, "factory_telemetry", "ms5")
    assert "hidden" not in repr(settings)


def test_a_folder_of_questions_is_relative_to_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE.replace('host = "staging.example"', 'host = "staging.example"\nbenchmarks = "asked"'))
    variables = {"DB_HOST": "10.0.0.5", "MS5OPS_BENCHMARKS": "../own"}
    settings = load_settings(variables, file)
    found = {name: one.benchmarks for name, one in settings.environments.items()}
    assert found == {"production": None, "staging": tmp_path / "asked", "DB_HOST": tmp_path / "../own"}
    assert settings.origins["DB_HOST"] == "DB_HOST, MS5OPS_BENCHMARKS"
    assert load_settings({"DB_HOST": "h", "MS5OPS_BENCHMARKS": "/etc/own"}, file).environments[
        "DB_HOST"
    ].benchmarks == (Path("/etc/own"))


def test_a_chosen_environment_wins_over_all(tmp_path: Path) -> None:
    variables = {"DB_HOST": "10.0.0.5", "MS5OPS_ENVIRONMENT": "production"}
    assert load_settings(variables, write(tmp_path, WHOLE)).default == "production"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[environments.p]\nhost = "h"\nread = {user = "u"}\nprotcted = true', "did you mean protected?"),
        ('[environments.p]\nhost = "h"\nread = {user = "u", pasword_env = "X"}', "did you mean password_env?"),
        ('[environment.p]\nhost = "h"', "did you mean environments?"),
        ("[console]\nsnapshot_every = 3", "did you mean snapshot_every_minutes?"),
        ('[environments.p]\nhost = "h"', "environments.p.read is missing"),
        ('[environments.p]\nhost = "h"\nport = 70000\nread = {user = "u"}', "environments.p.port"),
        ('[environments.p]\nhost = "h"\nread = {user="u"}\nmaintenance_window = "late"', "'late' is not a window"),
        ('[environments.p]\nhost="h"\nread={user="u"}\nmaintenance_window="22:00-06:00 Mars/Base"', "Mars/Base"),
        ('[environments.p]\nhost="h"\nread={user="u", password_env="A", password_file="B"}', "not both"),
        ('[environments.sandbox]\nhost="h"\nread={user="u"}', "cannot be called 'sandbox'"),
        ('default_environment = "gone"', "'gone'"),
        ("environments = [", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings({}, file)
    assert says in caught.value.happened
    assert str(file) in caught.value.happened
    assert caught.value.next_step


def test_an_unknown_environment_names_the_nearest(tmp_path: Path) -> None:
    settings = load_settings({}, write(tmp_path, WHOLE))
    with pytest.raises(ConfigError, match="Did you mean 'production'"):
        settings.environment("producton")


def test_a_bad_port_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DB_PORT is 'five'"):
        load_settings({"DB_HOST": "h", "DB_PORT": "five"}, tmp_path / "absent.toml")


def test_passwords_come_from_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    monkeypatch.chdir(tmp_path)
    production = load_settings({}, write(tmp_path, WHOLE)).environment("production")
    assert production.deploy is not None
    secret = production.deploy.password()
    assert secret is not None
    assert secret.get_secret_value() == "from-file"
    with pytest.raises(ConfigError, match="MS5_READ_PASSWORD, which is not set"):
        production.read.password()
    monkeypatch.setenv("MS5_READ_PASSWORD", "from-variable")
    read = production.read.password()
    assert read is not None
    assert read.get_secret_value() == "from-variable"
    assert "from-variable" not in repr(read)


@pytest.mark.parametrize(("hour", "inside"), [(22, True), (23, True), (3, True), (5, True), (6, False), (12, False)])
def test_a_window_over_midnight(tmp_path: Path, hour: int, inside: bool) -> None:
    window = load_settings({}, write(tmp_path, WHOLE)).environment("staging").maintenance_window
    assert window.contains(datetime(2026, 11, 23, hour, tzinfo=UTC)) is inside


@pytest.mark.parametrize(
    ("text", "is_open", "said"),
    [("always", True, "always"), ("00:00-00:00", False, "00:00-00:00 UTC"), ("06:00-06:00", False, "06:00-06:00 UTC")],
)
def test_a_window_may_be_open_always_or_never(tmp_path: Path, text: str, is_open: bool, said: str) -> None:
    settings = f'[environments.p]\nhost = "h"\nread = {{user="u"}}\nmaintenance_window = "{text}"'
    window = load_settings({}, write(tmp_path, settings)).environment("p").maintenance_window
    assert {window.contains(datetime(2026, 11, 23, hour, tzinfo=UTC)) for hour in range(24)} == {is_open}
    assert str(window) == said
    assert MaintenanceWindow.model_validate(said).contains(datetime(2026, 11, 23, tzinfo=UTC)) is is_open


def test_a_window_is_in_its_own_zone(tmp_path: Path) -> None:
    window = load_settings({}, write(tmp_path, WHOLE)).environment("production").maintenance_window
    assert window.contains(datetime(2026, 7, 1, 20, 30, tzinfo=UTC))  # 22:30 in Berlin
    assert not window.contains(datetime(2026, 1, 1, 20, 30, tzinfo=UTC))  # 21:30 in Berlin


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[costs]\nprice_per_gb_month = 0\ncurrency = "EUR"', "price_per_gb_month"),
        ("[costs]\nprice_per_gb_month = 0.1", "currency"),
        ('[costs]\nprice_per_gb = 0.1\ncurrency = "EUR"', "price_per_gb_month"),
    ],
)
def test_a_price_is_whole_or_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ms5ops.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_settings({}, file)
    file.write_text('[costs]\nprice_per_gb_month = 0.1\ncurrency = "EUR"')
    assert load_settings({}, file).costs == Costs(price_per_gb_month=0.1, currency="EUR")
