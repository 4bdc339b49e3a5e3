"""``python -m ms5ops account``: who may sign in to the console, and as what."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ms5ops import units
from ms5ops.access import accounts, manage, shell
from ms5ops.access.accounts import Account
from ms5ops.access.roles import may
from ms5ops.cli.status import JsonOption
from ms5ops.cli.terminal import answers, narration

app = typer.Typer(help="Accounts of the console: add, list, disable, reset.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
RoleOption = Annotated[str, typer.Option("--role", help="viewer, dba, operator or admin.")]
ProviderOption = Annotated[
    str, typer.Option("--provider", help="local, or oidc for somebody from the identity provider.")
]


@app.command()
def add(name: NameArgument, role: RoleOption = "viewer") -> None:
    """Add an account; its one-time password goes to stdout and is kept nowhere."""
    _show_password(manage.add_account(shell.actor(), name, accounts.checked_role(role)), accounts.clean(name))


@app.command("list")
def show(as_json: JsonOption = False) -> None:
    """List the accounts, their roles, and when they last signed in."""
    found = manage.list_accounts(shell.actor())
    if as_json:
        typer.echo(json.dumps([_plain(account) for account in found], indent=2))
        return
    table = Table("Name", "Provider", "Role", "State", "Last sign-in", box=None)
    for account in found:
        table.add_row(
            escape(account.name), account.provider, account.role or "none", account.state,
            units.instant_text(account.last_sign_in),
        )  # fmt: skip
    answers().print(table if found else "There is no account yet. Add one: account add NAME --role admin")


@app.command()
def disable(name: NameArgument, provider: ProviderOption = accounts.LOCAL) -> None:
    """Keep an account from signing in, and end its sessions."""
    manage.set_disabled(shell.actor(), name, True, provider)
    narration.print(f"{escape(accounts.clean(name))} is disabled, and signed out everywhere.")


@app.command()
def enable(name: NameArgument, provider: ProviderOption = accounts.LOCAL) -> None:
    """Let a disabled account sign in again."""
    manage.set_disabled(shell.actor(), name, False, provider)
    narration.print(f"{escape(accounts.clean(name))} may sign in again.")


@app.command()
def reset(name: NameArgument) -> None:
    """Give an account a new one-time password, and end its sessions."""
    _show_password(manage.reset_account(shell.actor(), name), accounts.clean(name))


@app.command("role")
def set_role(name: NameArgument, role: Annotated[str, typer.Argument(metavar="ROLE")]) -> None:
    """Give an account another role: viewer, dba, operator or admin."""
    manage.set_role(shell.actor(), name, accounts.checked_role(role))
    narration.print(f"{escape(accounts.clean(name))} has the role {role} from now on.")


def first_admin() -> None:
    """On the sandbox's first start: one admin, whose one-time password is printed here and nowhere else."""
    actor = shell.actor()
    if accounts.every() or not may(actor, "manage accounts"):
        return
    password = manage.add_account(actor, "admin", "admin")
    narration.print("\nAn account for the sandbox was made. Sign in as [bold]admin[/] with this password, once:")
    narration.print(f"\n    {password}\n")
    narration.print("It is shown only now. For another one: python -m ms5ops account reset admin")


def _show_password(password: str, name: str) -> None:
    narration.print(f"One-time password of {escape(name)}, good for {accounts.ONE_TIME_LASTS.days} days:")
    typer.echo(password)


def _plain(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "provider": account.provider,
        "role": account.role,
        "state": account.state,
        "created_at": account.created_at.isoformat(),
        "last_sign_in": account.last_sign_in.isoformat() if account.last_sign_in else None,
    }
