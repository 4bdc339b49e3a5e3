"""Coroutines in tests: in a thread of their own, because Playwright keeps a loop running in the test's."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, once it has."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
