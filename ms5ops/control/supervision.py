"""A run under supervision: the work in a thread, signals in the main one."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from ms5ops.rollout.limits import Limits
from ms5ops.rollout.running import Stop

T = TypeVar("T")


def supervised(stop: Stop, limits: Limits, work: Callable[[], T], on_signal: Callable[[], None] = lambda: None) -> T:
    """Run ``work`` in a thread while this one waits for signals; what it raises is raised here.

    The driver does not return from a statement for a signal. The first Ctrl-C or SIGTERM lets the present
    transaction end for a few seconds, the second ends its statement at once; ``on_signal`` is told of each.
    """
    box: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            box.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            errors.append(error)

    def handle(number: int, _frame: FrameType | None) -> None:
        on_signal()
        stop.request(f"Stopped by {signal.Signals(number).name}.", limits.cancel_after_s)

    thread = threading.Thread(target=run, name="ms5ops rollout")
    former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        thread.start()
        while thread.is_alive():
            thread.join(0.2)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if errors:
        raise errors[0]
    return box[0]
