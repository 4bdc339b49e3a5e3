"""Many clients at once, in processes of their own so that the client is not what limits.

A thread per client would do for waiting (the driver waits outside Python's lock), but turning rows into values and
taking times happens under it: one process gets to some ten thousand answers a second. So there are as many processes as
processors, each with its share of the clients as threads; and each tells how much processor time it took, which shows
whether the clients were the limit after all.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ms5ops.database import Database, Target, TimedSession
from ms5ops.errors import BenchmarkError, Ms5opsError

OPENED_AT_ONCE = 8
START_TIMEOUT_S = 30.0
ANSWER_MARGIN_S = 60.0
_GONE = "A client process ended before it was done."


@dataclass(frozen=True)
class Driven:
    """What clients got in ``seconds`` of asking. ``latencies``: client, when asked (seconds since the start),
    milliseconds; what was asked in time counts, though its answer may have come later.

    ``errors``: how often which happened. ``connected``: clients that were let in. ``cpu_share``: processor time of the
    client processes, as a share of all processors of this machine for that long.
    """

    seconds: float
    connected: int
    latencies: Sequence[tuple[int, float, float]]
    errors: Mapping[str, int]
    cpu_share: float


class Crowd:
    """Client processes that wait to be told how many clients to be."""

    def __init__(self, pipes: Sequence["Connection[Any, Any]"], statement_timeout_ms: int) -> None:
        self._pipes = pipes
        self._margin_s = ANSWER_MARGIN_S + statement_timeout_ms / 1000

    def drive(self, clients: int, seconds: float, seed: int) -> Driven:
        """Connect ``clients`` clients, have them all ask for so long, and disconnect them.

        Raises BenchmarkError where a client process has ended or does not answer: the crowd is of no use any more.
        """
        pipes = self._pipes[: min(clients, len(self._pipes))]
        shares = [clients // len(pipes) + (place < clients % len(pipes)) for place in range(len(pipes))]
        firsts = [sum(shares[:place]) for place in range(len(pipes))]
        for pipe, share, first in zip(pipes, shares, firsts, strict=True):
            self._tell(pipe, (share, first, seconds, seed))
        connected = sum(self._answer(pipe, ANSWER_MARGIN_S) for pipe in pipes)
        for pipe in pipes:  # all have connected: now they begin together
            self._tell(pipe, "go")
        parts = [self._answer(pipe, seconds + self._margin_s) for pipe in pipes]
        errors: Counter[str] = Counter()
        for part in parts:
            errors.update(part["errors"])
        return Driven(
            seconds=seconds,
            connected=connected,
            latencies=[one for part in parts for one in part["latencies"]],
            errors=dict(errors),
            cpu_share=sum(part["cpu_s"] for part in parts) / (seconds * (os.cpu_count() or 1)),
        )

    @staticmethod
    def _tell(pipe: "Connection[Any, Any]", what: Any) -> None:
        try:
            pipe.send(what)
        except OSError as error:
            raise BenchmarkError(_GONE, "Try again.") from error

    @staticmethod
    def _answer(pipe: "Connection[Any, Any]", timeout_s: float) -> Any:
        try:
            if pipe.poll(timeout_s):
                return pipe.recv()
        except (EOFError, OSError) as error:
            raise BenchmarkError(_GONE, "Try again.") from error
        raise BenchmarkError(f"A client process has not answered for {timeout_s:.0f} s.", "Try again.")


@contextmanager
def crowd(target: Target, statements: Sequence[bytes], statement_timeout_ms: int, most: int) -> Iterator[Crowd]:
    """Client processes for up to ``most`` clients, ended when the block ends."""
    context = multiprocessing.get_context("spawn")  # a fork would copy connections and locks of this process
    pipes, processes = [], []
    try:
        for _ in range(min(most, os.cpu_count() or 1)):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, target, tuple(statements), statement_timeout_ms), daemon=True
            )
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        for pipe in pipes:
            Crowd._answer(pipe, START_TIMEOUT_S)
        yield Crowd(pipes, statement_timeout_ms)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()


# In the client processes -------------------------------------------------------------------------------------


def _serve(
    pipe: "Connection[Any, Any]", target: Target, statements: Sequence[bytes], statement_timeout_ms: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that holds the other end
    database = Database(target)
    pipe.send("ready")
    with suppress(EOFError):  # the run is over
        while True:
            _be_clients(pipe, database, statements, statement_timeout_ms, pipe.recv())


def _be_clients(
    pipe: "Connection[Any, Any]",
    database: Database,
    statements: Sequence[bytes],
    statement_timeout_ms: int,
    asked: tuple[int, int, float, int],
) -> None:
    share, first, seconds, seed = asked
    errors: Counter[str] = Counter()
    with ExitStack() as held:

        def connect(number: int) -> tuple[int, TimedSession] | None:
            try:
                return number, held.enter_context(database.timed_session(statement_timeout_ms))
            except Ms5opsError as error:
                errors[error.happened] += 1
                return None

        with ThreadPoolExecutor(OPENED_AT_ONCE) as opening:
            sessions = [one for one in opening.map(connect, range(first, first + share)) if one]
        pipe.send(len(sessions))
        pipe.recv()
        cpu, began = time.process_time(), time.perf_counter()
        clients = [_Client(session, number, random.Random(f"{seed}/{number}")) for number, session in sessions]
        threads = [threading.Thread(target=client.ask, args=(statements, began, seconds)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cpu_s = time.process_time() - cpu
    for client in clients:
        errors.update(client.errors)
    found = [one for client in clients for one in client.latencies]
    pipe.send({"latencies": found, "errors": dict(errors), "cpu_s": cpu_s})


class _Client:
    """One client: it asks, waits for the answer, and asks again."""

    def __init__(self, session: TimedSession, number: int, order: random.Random) -> None:
        self._session, self._number, self._order = session, number, order
        self.latencies: list[tuple[int, float, float]] = []
        self.errors: Counter[str] = Counter()

    def ask(self, statements: Sequence[bytes], began: float, seconds: float) -> None:
        """Ask one of the statements after the other, in random order, until the time is over."""
        while (at := time.perf_counter() - began) < seconds:
            try:
                answer = self._session.time(self._order.choice(statements))
            except Ms5opsError as error:
                self.errors[error.happened] += 1
                if not self.latencies and self.errors.total() > len(statements):
                    return  # it never works: no use in hammering the server
            else:
                self.latencies.append((self._number, at, answer.execute_ms + answer.fetch_ms))
