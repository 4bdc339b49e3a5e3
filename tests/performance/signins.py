"""A thousand wrong passwords at once, and how long the right one takes meanwhile."""

import asyncio
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ms5ops.access import accounts
from tests.performance.console import console

WRONG, CONNECTIONS = 1_000, 100
NAME, PASSWORD = "alice", "a right one, long enough"
FLOODED = {
    "the same name": [NAME] * WRONG,
    "a name each": [f"user{number}" for number in range(WRONG)],
}
BROWSERS = (
    # Whose, from which address, whether it was signed in before.
    ("another address", "127.0.0.2", False),
    ("the attacker's address, a known browser", "127.0.0.1", True),
    ("the attacker's address, a new browser", "127.0.0.1", False),
)


@dataclass
class Browser:
    """Where the right one comes from, and what it keeps."""

    address: str
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)


def main() -> None:
    """Wait of a right password before and during 1,000 wrong ones, sent at once over 100 connections.

    A live console without a database, its password hashes at their real cost; client and console share this machine.
    The right one is sent 50 ms after the first wrong ones: from another address, from the attacker's own address with a
    browser that was signed in before, and from there with a new one. It is sent again where it is told to come back
    later, after the time that it was told.
    """
    for what, names in FLOODED.items():
        for whose, address, is_known in BROWSERS:
            with tempfile.TemporaryDirectory(prefix="ms5ops-performance-") as name:
                folder = Path(name)
                os.environ["MS5OPS_STATE"] = name
                accounts.add(NAME, "operator")
                accounts.set_password(NAME, PASSWORD)
                with console(folder) as started:
                    browser = Browser(address)
                    alone_s, _ = asyncio.run(right(started.url, browser))
                    meanwhile = browser if is_known else Browser(address)
                    waited_s, tries, answers, flood_s = asyncio.run(flooded(started.url, names, meanwhile))
            told = ", ".join(f"{number} x {status}" for status, number in sorted(answers.items()))
            print(
                f"  {what}, right one from {whose}: {alone_s:.2f} s before, {waited_s:.2f} s meanwhile ({tries} tries);"
                f" the wrong ones: {told} in {flood_s:.1f} s",
                flush=True,
            )


async def flooded(url: str, names: list[str], browser: Browser) -> tuple[float, int, Counter[int], float]:
    """The right one's wait in seconds and its tries; how often the wrong ones got which status, and in how long."""
    began = time.perf_counter()
    wrong = [asyncio.create_task(attack(url, names[first::CONNECTIONS])) for first in range(CONNECTIONS)]
    await asyncio.sleep(0.05)
    waited_s, tries = await right(url, browser)
    answers = [status for statuses in await asyncio.gather(*wrong) for status in statuses]
    return waited_s, tries, Counter(answers), time.perf_counter() - began


async def attack(url: str, names: list[str]) -> list[int]:
    """Wrong passwords one after the other over one connection; the statuses."""
    async with httpx.AsyncClient(base_url=url, timeout=120, verify=False) as client:
        return [(await attempt(client, url, name, "wrong")).status_code for name in names]


async def right(url: str, browser: Browser) -> tuple[float, int]:
    """Sign in with that browser; seconds until it is done, and tries."""
    began, tries = time.perf_counter(), 0
    transport = httpx.AsyncHTTPTransport(local_address=browser.address)
    async with httpx.AsyncClient(base_url=url, transport=transport, cookies=browser.cookies, timeout=120) as client:
        while True:
            tries += 1
            answer = await attempt(client, url, NAME, PASSWORD)
            if answer.status_code == 303:
                browser.cookies = client.cookies
                return time.perf_counter() - began, tries
            if answer.status_code not in (429, 503):
                raise AssertionError(f"The right password was answered with {answer.status_code}.")
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))


async def attempt(client: httpx.AsyncClient, url: str, name: str, password: str) -> httpx.Response:
    """Send the form."""
    sent = {"name": name, "password": password, "next": "/"}
    return await client.post("/access/sign-in", data=sent, headers={"origin": url})
