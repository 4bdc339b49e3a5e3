"""``python -m ms5ops environments``: which servers are configured, where, and which is the default."""

import json
from typing import Annotated

import typer
from rich.table import Table

from ms5ops.cli.terminal import answers
from ms5ops.config import SANDBOX, load_settings


def environments(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the configured environments, the source of each, and which is the default and why."""
    settings = load_settings()
    rows = [{"name": SANDBOX, "address": "embedded", "protected": False, "benchmarks": None, "source": "built in"}] + [
        {
            "name": name,
            "address": f"{found.read.user}@{found.host}:{found.port}/{found.database}",
            "protected": found.protected,
            "benchmarks": found.benchmarks and str(found.benchmarks),
            "source": settings.origins[name],
        }
        for name, found in settings.environments.items()
    ]
    if as_json:
        chosen = {"default": settings.default, "default_source": settings.default_origin}
        typer.echo(json.dumps({**chosen, "environments": rows}, indent=2))
        return
    table = Table("", "Environment", "Address (reading role)", "Protected", "Configured in", box=None)
    for row in rows:
        mark = "*" if row["name"] == settings.default else ""
        table.add_row(
            mark,
            *(str(row[key]) for key in ("name", "address")),
            "yes" if row["protected"] else "no",
            str(row["source"]),
        )
    answers().print(table)
    typer.echo(f"* the default: {settings.default_origin}")
