"""``python -m ms5ops benchmark``: measure a database, and list what is measured."""

import typer

app = typer.Typer(help="Benchmarks: measure, list, compare.", no_args_is_help=True)
