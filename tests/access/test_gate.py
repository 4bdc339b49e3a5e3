"""The gate before costly work: how many at once, whose turn, and what a cancelled one leaves behind."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ms5ops.access.gate import Gate, LaneFull
from tests.finished import finished


def run(work: Callable[[], Awaitable[None]]) -> None:
    finished(asyncio.wait_for(_run(work), 10))


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def test_no_more_at_once_and_the_lanes_take_turns() -> None:
    async def work() -> None:
        gate, inside, most, order = Gate(at_once=2, waiting=50), 0, 0, []

        async def one(lane: str) -> None:
            nonlocal inside, most
            async with gate.turn(lane):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                order.append(lane)
                inside -= 1

        await asyncio.gather(*(one("many") for _ in range(40)), one("single"))
        assert most == 2
        assert len(order) == 41
        assert order.index("single") < 6, "not behind the forty"

    run(work)


def test_a_full_lane_refuses_and_the_others_go_on() -> None:
    async def work() -> None:
        gate = Gate(at_once=1, waiting=2)
        go_on = asyncio.Event()

        async def one(lane: str) -> None:
            async with gate.turn(lane):
                await go_on.wait()

        held = [asyncio.create_task(one("many")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(LaneFull):
            await one("many")
        other = asyncio.create_task(one("other"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*held, other)
        async with gate.turn("after"):
            pass

    run(work)


def test_a_cancelled_one_gives_its_place_up() -> None:
    async def work() -> None:
        gate = Gate(at_once=1, waiting=5)

        async def one() -> None:
            async with gate.turn("lane"):
                await asyncio.sleep(0)

        async with gate.turn("lane"):
            waiting = [asyncio.create_task(one()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[2].cancel()
            await asyncio.sleep(0)
        # one more that is cancelled at the moment in which its turn comes
        late = asyncio.create_task(one())
        await waiting[1]
        late.cancel()
        await asyncio.gather(*waiting, late, return_exceptions=True)
        async with gate.turn("lane"):
            pass

    run(work)


def test_an_error_inside_frees_the_gate() -> None:
    async def work() -> None:
        gate = Gate(at_once=1)
        with pytest.raises(ValueError, match="inside"):
            async with gate.turn("lane"):
                raise ValueError("inside")
        async with gate.turn("lane"):
            pass

    run(work)
