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


class SectionDefect(Ms5opsError):
    """Reading one section failed for a reason that the program did not foresee."""


class QueryMissing(Ms5opsError):
    """No variant of a named query fits this server."""


class SandboxError(Ms5opsError):
    """The embedded TimescaleDB could not be started, stopped or filled."""


class HistoryError(Ms5opsError):
    """The history store is locked, newer than this program, or damaged."""


class HistoryLocked(HistoryError):
    """Another process held the history for longer than was to be waited."""


class BundleRefused(HistoryError):
    """A folder of exported history is damaged, newer than this program, or something else."""


class ConnectionLost(ServerUnreachable):
    """A connection that was in use broke; whether the last statement was committed is not known."""


class StatementConflict(ServerError):
    """A change waited too long for a lock, or met another one; nothing of it was kept, and it may be tried again."""


class StatementCancelled(ServerError):
    """A change was ended before it was done, by a request or by its time limit; nothing of it was kept."""


class RolloutError(Ms5opsError):
    """A plan cannot be applied, resumed or rolled back as asked."""


class LeaseTaken(RolloutError):
    """Another process applies or rolls back a plan in this database now."""


class LeaseLost(RolloutError):
    """This process was thought dead, and another one has taken over: it must not change anything any more."""


class VerificationFailed(RolloutError):
    """An operation ran, and the server does not show what it should have brought."""


class BackupError(Ms5opsError):
    """A backup could not be made, or cannot be read."""


class NotAllowed(Ms5opsError):
    """Somebody may not do what was asked for."""


class AccountError(Ms5opsError):
    """An account or a sign-in is not as it has to be."""


class StoreError(Ms5opsError):
    """A store of the console (accounts, sessions, audit log) is locked, newer than this program, or damaged."""


class AuditError(Ms5opsError):
    """The audit log cannot be written, so that what it would record must not happen."""


class BenchmarkError(Ms5opsError):
    """A benchmark run, file or comparison is not as it has to be."""
