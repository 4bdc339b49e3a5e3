"""The one error root: every error a person can meet is a sentence and a next step.

Libraries raise; only the command line exits (see ``EXIT_*`` in ``ms5ops.cli``) and only the
page shell renders (``ms5ops.ui.shell``).
"""


class Ms5opsError(Exception):
    """What happened, in one sentence, and what to do about it, in another.

    ``happened`` and ``next_step`` are shown to people as they are: they never hold a secret.
    """

    def __init__(self, happened: str, next_step: str) -> None:
        super().__init__(f"{happened} {next_step}".strip())
        self.happened = happened
        self.next_step = next_step


class ConfigError(Ms5opsError):
    """The configuration file or an environment variable is wrong."""


class ServerError(Ms5opsError):
    """The database server refused or failed a request."""


class ServerUnreachable(ServerError):
    """No connection could be made: wrong address, server down, credentials refused."""


class ReadTimeout(ServerError):
    """A read took longer than its budget, or waited too long for a lock."""


class PrivilegeMissing(ServerError):
    """The role may not read or change what was asked for."""


class FeatureMissing(ServerError):
    """The server lacks the extension, edition, version or object that was asked for."""


class QueryMissing(Ms5opsError):
    """No variant of a named query fits this server."""


class SandboxError(Ms5opsError):
    """The embedded TimescaleDB could not be started, stopped or filled."""


class HistoryError(Ms5opsError):
    """The history store is locked, newer than this program, or damaged."""
