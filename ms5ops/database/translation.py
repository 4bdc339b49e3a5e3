"""What the driver raises, as one of ``ms5ops.errors``: what happened, and the next step."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ms5ops.database.target import Target
from ms5ops.errors import (
    ConnectionLost,
    FeatureMissing,
    PrivilegeMissing,
    ReadTimeout,
    ServerError,
    ServerUnreachable,
    StatementCancelled,
    StatementConflict,
)


@contextmanager
def translated(target: Target, *, changing: bool = False) -> Iterator[None]:
    """Raise what the driver raises within the block as one of ``ms5ops.errors``.

    ``changing``: a conflict, a cancelled statement and a lost connection have errors of their own, as an executor goes
    on after each of them in another way; else they are those of a reading.
    """
    try:
        yield
    except DBAPIError as error:
        raise translate(error, target, changing) from error
    except psycopg2.Error as error:  # from a call on the driver's own connection
        raise ConnectionLost(
            f"The connection to {target.address} was lost: {_first_line(error)}.", "Try again in a moment."
        ) from error
    except SQLAlchemyError as error:
        raise ServerUnreachable(
            f"No free connection to {target.address}: {type(error).__name__}.", "Try again in a moment."
        ) from error


_REMEDIES: dict[str, tuple[type[ServerError], str, str]] = {
    # SQLSTATE: error, what happened, next step. Source: PostgreSQL documentation, appendix A.
    "57014": (
        ReadTimeout,
        "The server did not answer within the time allowed.",
        "Reload; if it happens again, look at Health for what keeps the server busy.",
    ),
    "55P03": (
        ReadTimeout,
        "Another session holds a lock that this reading had to wait for.",
        "Reload when that session is done; Health shows who holds it.",
    ),
    "40P01": (ReadTimeout, "The reading deadlocked with another session and was given up.", "Reload."),
    "42501": (
        PrivilegeMissing,
        "The role {user} lacks a privilege: {message}.",
        "Grant it (README, “Your own server”) or use another role.",
    ),
    "3F000": (FeatureMissing, "A schema is missing: {message}.", "Check the environment's database and schema."),
    "42P01": (FeatureMissing, "An object is missing: {message}.", "Check the environment's database and schema."),
    "42883": (
        FeatureMissing,
        "A function is missing: {message}.",
        "Check that the timescaledb extension is installed in this database.",
    ),
    "25006": (PrivilegeMissing, "A change was tried in a read-only session: {message}.", "Use the deploy credential."),
    "28P01": (
        ServerUnreachable,
        "The server refused the password of {user}.",
        "Check the password's variable or file.",
    ),
    "53300": (
        ServerUnreachable,
        "The server has no connection left ({address}).",
        "Raise max_connections or close idle sessions.",
    ),
}


# For a connection that was refused the driver gives no SQLSTATE: part of the server's message, what happened, next
# step.
_REFUSALS = (
    ("password authentication failed", *_REMEDIES["28P01"][1:]),
    (
        "no password supplied",
        "The server asks {user} for a password, and none is configured.",
        "Export DB_PASSWORD, or name password_env or password_file in ms5ops.toml.",
    ),
    (
        "no pg_hba.conf entry",
        "The server admits no {address} from here: {message}.",
        "Ask its administrator (pg_hba.conf).",
    ),
    (
        "does not support SSL",
        "The server does not offer TLS, which sslmode asks for.",
        "Set sslmode, or enable TLS there.",
    ),
    ("certificate", "The server's certificate was not accepted: {message}.", "Check sslmode and the root certificate."),
    ("too many clients", *_REMEDIES["53300"][1:]),
    ("remaining connection slots", *_REMEDIES["53300"][1:]),
    ("does not exist", "{address} is not there: {message}.", "Check the names of the database and the role."),
    ("could not translate host name", "The host of {address} is not known.", "Check its name."),
)

_CONFLICTS = ("55P03", "40P01", "40001")
"""A lock not had in time, a deadlock, a serialisation failure."""

_CONFLICT_MESSAGES = ("tuple concurrently updated", "tuple concurrently deleted")
"""Two sessions changed one catalogue row at once; PostgreSQL has no code of its own for it."""


def _translate_change(original: BaseException | None, state: str | None, target: Target) -> ServerError | None:
    message = _first_line(original)
    if state in _CONFLICTS or message in _CONFLICT_MESSAGES:
        return StatementConflict(f"Another session was in the way: {message}.", "It can be tried again.")
    if state == "57014":
        return StatementCancelled(f"A statement was ended before it was done: {message}.", "It can be tried again.")
    if (state is None and isinstance(original, psycopg2.OperationalError | psycopg2.InterfaceError)) or (
        state and state.startswith(("08", "57P", "25P03"))
    ):
        return ConnectionLost(f"The connection to {target.address} was lost: {message}.", "Try again in a moment.")
    return None


def translate(error: DBAPIError, target: Target, changing: bool = False) -> ServerError:
    """The error to raise for one of the driver's; ``changing`` as of ``translated``."""
    original = error.orig
    state = getattr(original, "pgcode", None)
    message = _first_line(original)
    if changing and (found := _translate_change(original, state, target)):
        return found
    if state in _REMEDIES:
        kind, happened, next_step = _REMEDIES[state]
        values = {"user": target.user, "address": target.address, "message": message}
        return kind(happened.format_map(values), next_step)
    if state is None and isinstance(error, OperationalError):
        for part, happened, next_step in _REFUSALS:
            if part in message:
                values = {"user": target.user, "address": target.address, "message": message}
                return ServerUnreachable(happened.format_map(values), next_step)
        return ServerUnreachable(
            f"No connection to {target.address}: {message}.",
            "Check that the server runs and that host, port, database and role are right.",
        )
    if state and state.startswith(("08", "57P")):
        return ServerUnreachable(f"The connection to {target.address} was lost: {message}.", "Try again in a moment.")
    return ServerError(f"The server refused a statement: {message}.", "Report this with the server's version.")


def _first_line(original: BaseException | None) -> str:
    diagnostics = getattr(original, "diag", None) if isinstance(original, psycopg2.Error) else None
    primary = getattr(diagnostics, "message_primary", None)
    lines = [line for line in str(primary or original or "").strip().splitlines() if line.strip()]
    text_line = lines[0].strip() if lines else "unknown error"
    return text_line.removeprefix("FATAL:").strip().rstrip(".")
