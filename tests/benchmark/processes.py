"""Processes that use a history at once, and processes that die in the middle of it."""

import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.conftest import FORKS


def started(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that runs a function of a module; imports are shared, so that it begins at once."""
    process = FORKS.Process(target=_as_here, args=(dict(os.environ), target, *arguments))
    process.start()
    return process


def die(*_arguments: object, **_named: object) -> None:
    """What a process does at the point where a test kills it: no clean-up, no flush, as by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(file: Path, text: str) -> None:
    """Append a line that survives the process."""
    with file.open("a", encoding="utf-8") as handle:
        handle.write(f"{text}\n")


def _as_here(variables: dict[str, str], target: Callable[..., None], *arguments: object) -> None:
    """The server of forks has the variables of whichever test was the first to start it."""
    os.environ.clear()
    os.environ.update(variables)
    target(*arguments)
