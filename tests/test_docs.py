"""What the documents and the files for running it promise is there: commands, files, links, settings, query files."""

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped]

from ms5ops import paths
from ms5ops.cli import app
from ms5ops.config import ConfigFile, load_settings
from ms5ops.policy.document import PolicySet, default_policy
from ms5ops.ui.links import TITLES
from ms5ops.ui.sources import SOURCES

README = paths.PROJECT / "README.md"
DEPLOY = paths.PROJECT / "deploy"
DOCUMENTS = {file.name: file for file in [README, *sorted((paths.PROJECT / "docs").glob("*.md"))]}
CALLING = [*DOCUMENTS.values(), paths.PROJECT / "compose.yaml", *sorted((DEPLOY / "systemd").iterdir())]
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")
NAMED_FILE = re.compile(r"`((?:docs|deploy|sql|ms5ops|tests|pages|benchmarks_history)/[\w./-]*)`")


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that is shown, by its whole name; a group that does something by itself is one, too."""
    for name, one in getattr(group, "commands", {}).items():
        if one.hidden:
            continue
        whole = (*above, name)
        if not hasattr(one, "commands") or one.invoke_without_command:
            yield " ".join(whole), one
        yield from commands(one, whole)


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return dict(commands(typer.main.get_command(app)))


def wrong_in(line: str, known: dict[str, Any]) -> list[str]:
    """What is wrong with a call, given as the words after ``python -m ms5ops`` up to the end of its line."""
    words = re.split(r"\s+#|;|&&|\)|, ", line)[0].split()
    if not words or words[0].startswith("-"):
        return []
    alternatives = [word.split("|") for word in words[:2]]
    named = [" ".join([words[0], one]) for one in alternatives[-1]] if len(words) > 1 else []
    if not any(one in known for one in named):
        named = alternatives[0]
    if missing := [one for one in named if one not in known]:
        return missing
    options = {flag for one in named for param in known[one].params for flag in (*param.opts, *param.secondary_opts)}
    asked = set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", " ".join(words)))
    return [f"{named[0]} {option}" for option in sorted(asked - options)]


def test_readme_lists_every_command_and_no_other(known: dict[str, Any]) -> None:
    section = README.read_text(encoding="utf-8").split("\n## The command line\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z -]+)`", row)} == set(known)


@pytest.mark.parametrize("file", CALLING, ids=lambda file: file.name)
def test_commands_and_options_that_are_named_exist(file: Path, known: dict[str, Any]) -> None:
    calls = re.findall(r"python -m ms5ops ([^`\n]*)", file.read_text(encoding="utf-8"))
    assert [one for call in calls for one in wrong_in(call, known)] == []


def test_a_call_that_is_wrong_is_found(known: dict[str, Any]) -> None:
    assert wrong_in("history export --into FOLDER", known) == ["history export --into"]
    assert wrong_in("histories", known) == ["histories"]
    assert wrong_in("policy list|sow", known) == ["policy sow"]
    assert wrong_in("plan --sql   # as a script", known) == []


def anchors(text: str) -> set[str]:
    """The headings as a repository's host makes anchors of them."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {"#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_files_in_a_document_are_there(name: str) -> None:
    file = DOCUMENTS[name]
    text = file.read_text(encoding="utf-8")
    named = set(NAMED_FILE.findall(text)) - {"benchmarks_history/history.duckdb"}  # made by the first that is stored
    wrong = [one for one in sorted(named) if not list(paths.PROJECT.glob(one.rstrip("/") + "*"))]
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        found = (file.parent / target).resolve()
        if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
            wrong.append(target + anchor)
    assert wrong == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_in_a_document_are_accepted(name: str) -> None:
    for block in re.findall(
        r"^```toml\n(.*?)^```", DOCUMENTS[name].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        ConfigFile.model_validate(tomllib.loads(block))


def test_the_example_of_a_set_for_tables_of_ones_own_is_one() -> None:
    section = DOCUMENTS["rollout.md"].read_text(encoding="utf-8").split("\n## Your own tables\n")[1].split("\n## ")[0]
    example = textwrap.dedent(section[section.index("    schema = ") :].split("\n\n`columns`")[0])
    document = {**tomllib.loads(example), "schedules": default_policy().schedules}
    policy = PolicySet.model_validate(document, context={"sql_folder": paths.SQL})
    assert policy.aggregates["conditions_hourly"].body.reads == ("public.conditions",)
    assert [one.name for one in policy.active_indexes] == ["idx_conditions_device"]


def test_sections_that_messages_point_to_are_in_the_readme() -> None:
    named = {
        title
        for file in (paths.PROJECT / "ms5ops").rglob("*.py")
        for title in re.findall(r"README(?:\.md)?, “([^”]+)”", file.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= set(re.findall(r"^## (.*)$", README.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_page_says_where_its_numbers_come_from() -> None:
    titled = set()
    for page in (paths.PROJECT / "pages").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        titles = [
            call.args[0].value
            for call in calls
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in ("begin", "begin_without_reading", "show_title")
            and isinstance(call.args[0], ast.Constant)
        ]
        assert len(titles) == 1, f"{page.name} has no title by the shell"
        titled.add(titles[0])
    assert titled <= set(SOURCES)
    assert set(TITLES.values()) <= titled


@pytest.mark.parametrize("title", SOURCES)
def test_query_files_behind_a_page_are_there(title: str) -> None:
    assert SOURCES[title].files
    assert [file for file in SOURCES[title].files if not (paths.SQL / file).exists()] == []


def statements(sql: str) -> list[str]:
    bare = re.sub(r"--.*$|^\\.*$", "", sql, flags=re.MULTILINE)
    return [" ".join(one.split()) for one in bare.split(";") if one.strip()]


def test_the_script_of_roles_is_what_the_readme_says() -> None:
    blocks = re.findall(r"^```sql\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    script = (DEPLOY / "roles.sql").read_text(encoding="utf-8")
    assert statements(re.sub(r":'(read|deploy)_password'", "'...'", script)) == statements("".join(blocks))


def test_compose_mounts_what_is_there_and_holds_no_secret() -> None:
    text = (paths.PROJECT / "compose.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    mounts = [volume.split(":") for service in services.values() for volume in service["volumes"]]
    files = [paths.PROJECT / mount[0] for mount in mounts if mount[0].startswith("./")]
    assert len(files) == 6
    assert [file for file in files if not file.is_file()] == []
    scripts = [mount[1] for mount in mounts if "initdb.d" in mount[1]]
    assert scripts == sorted(scripts), "they run in the order of their names"
    secrets = [
        value for service in services.values() for key, value in service["environment"].items() if "PASSWORD" in key
    ]
    assert len(secrets) == 5
    assert all(value.startswith("${") and ":?" in value for value in secrets), "asked for, and never with a default"
    settings = load_settings({}, DEPLOY / "compose.toml")
    plant = settings.environment(settings.default)
    assert plant.host in services
    asked = {plant.read.password_env, plant.deploy.password_env if plant.deploy else None}
    assert asked <= set(services["console"]["environment"])


def test_the_image_holds_what_the_console_needs_and_nothing_private() -> None:
    ignored = (paths.PROJECT / ".dockerignore").read_text(encoding="utf-8").split()
    for needed in (".streamlit", "ms5ops", "pages", "sql", "streamlit_app.py", "requirements.txt"):
        assert (paths.PROJECT / needed).exists()
        assert needed not in ignored
    assert {".git", ".env", ".ms5ops", "ms5ops.toml", ".streamlit/secrets.toml"} <= set(ignored)
    text = (paths.PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER ms5ops$", text, re.MULTILINE)
    # A tmpfs over any other folder would be root's, and the console could not even look for its secrets.
    services = yaml.safe_load((paths.PROJECT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["console"]["tmpfs"] == ["/tmp"]
    assert re.search(r"HOME=/tmp\b", text)
    assert "/_stcore/health" in text
