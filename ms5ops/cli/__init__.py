"""The command line: everything that a page does, headless. stdout is data, stderr is narration.

Exit codes: 0 done, 1 done and something is wrong (a critical finding), 2 not done (bad usage, no server,
no privilege), 3 a plan with changes, 130 interrupted.
"""

import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from ms5ops import __version__, paths
from ms5ops.cli import (
    account,
    alerts,
    apply,
    audit,
    benchmark,
    benchmark_compare,
    benchmark_store,
    conversions,
    decisions,
    environments,
    history,
    plan,
    report,
    run,
    sandbox,
    scorecard,
    status,
    work,
)
from ms5ops.cli.terminal import narration
from ms5ops.errors import Ms5opsError

EXIT_DONE = 0
EXIT_PROBLEM = 1
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="ms5ops",
    help="Operations console for TimescaleDB policy rollout and benchmark analytics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(account.app, name="account")
app.add_typer(audit.app, name="audit")
benchmark.app.command("list")(benchmark_store.list_runs)
benchmark.app.command("show")(benchmark_store.show_run)
benchmark.app.command("export")(benchmark_store.export)
benchmark.app.command("import")(benchmark_store.import_runs)
benchmark.app.command("compare")(benchmark_compare.compare_runs)
benchmark.app.command("trends")(benchmark_compare.show_trends)
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(history.app, name="history")
app.command("run")(run.run)
app.command("status")(status.status)
app.command("collect")(status.collect)
app.command("scorecard")(scorecard.scorecard)
app.command("report")(report.report)
app.command("watch")(alerts.watch)
app.add_typer(alerts.app, name="alerts")
app.command("environments")(environments.environments)
app.command("apply")(apply.apply)
app.command("rollback")(apply.rollback)
app.command("deployments")(apply.deployments)
app.add_typer(conversions.app, name="conversions")
app.add_typer(apply.check_app, name="check")
app.command("plan")(plan.plan)
app.command("plans")(decisions.list_plans)
app.command("approve")(decisions.approve)
app.add_typer(decisions.policy_app, name="policy")
app.command("lint")(plan.lint_policy)
app.command("work", hidden=True)(work.work)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of ms5ops itself."""


def main() -> None:
    """Run the command line and exit with one of the codes above."""
    try:
        app(prog_name="python -m ms5ops")
    except Ms5opsError as error:
        narration.print(f"[bold red]Error:[/] {escape(error.happened)}")
        narration.print(error.next_step, markup=False)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        narration.print("Interrupted.")
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # a person gets a sentence, whoever mends it the trace
        narration.print(f"[bold red]Error:[/] This command has a defect ({type(error).__name__}).")
        narration.print(_with_trace(traceback.format_exc()), markup=False)
        sys.exit(EXIT_FAILED)


def _with_trace(trace: str) -> str:
    """What to do about a defect, whose trace is kept in a file; where that cannot be written it stands in the text."""
    file = paths.state_folder() / "defects" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(f"{' '.join(sys.argv)}\n{trace}", encoding="utf-8")
    except OSError:
        return f"Report it with what follows.\n{trace}"
    return f"Report it with the file {file}. What was done before it stays."
