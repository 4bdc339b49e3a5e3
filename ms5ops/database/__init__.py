"""The server: the only package that imports the driver.

A ``Database`` reads through sessions that are read-only and give up early on locks and long statements
(observing must not change, or hold up, the observed), and turns every driver error into one of
``ms5ops.errors`` with a next step. Rows leave this package as frames or mappings of plain Python values.
"""

from ms5ops.database.connecting import READ_LOCK_TIMEOUT_MS, READ_STATEMENT_TIMEOUT_MS, Access, Database
from ms5ops.database.session import Session
from ms5ops.database.target import Parameters, Target
from ms5ops.database.timed import Answer, TimedSession, parameter_names

__all__ = [
    "READ_LOCK_TIMEOUT_MS", "READ_STATEMENT_TIMEOUT_MS", "Access", "Answer", "Database", "Parameters", "Session",
    "Target", "TimedSession", "parameter_names",
]  # fmt: skip
