"""The forms over HTTP: cookies, forms from elsewhere, where they lead to, and a thousand wrong passwords at once."""

import asyncio
import re
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from ms5ops.access import accounts, audit, passwords, signin
from ms5ops.access.gate import Gate
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.ui import access_routes
from ms5ops.ui.access_routes import SECURE_SESSION, SESSION, own_path
from ms5ops.ui.http import MIDDLEWARE, ROUTES
from tests.access.conftest import PASSWORD, configure, with_account
from tests.finished import finished

APP = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
HOST = "http://console.example"
FROM_HERE = {"origin": HOST}
SIGN_IN = {"name": "alice", "password": PASSWORD, "next": "/storage"}


class Browser:
    """Asks the forms one request after another, and keeps the cookies as a browser does."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        return finished(self._ask("GET", path))

    def post(self, path: str, **sent: Any) -> httpx.Response:
        return finished(self._ask("POST", path, **sent))

    async def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(APP, client=("192.0.2.7", 1)), base_url=self.base, cookies=self.cookies
        ) as asking:
            answer = await asking.request(method, path, **sent)
            self.cookies = asking.cookies
            return answer


@pytest.fixture(autouse=True)
def _as_after_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_routes, "_GATE", Gate())
    monkeypatch.setattr(access_routes, "_CLOSED", {})


def client(base: str = HOST) -> Browser:
    return Browser(base)


def test_signing_in_and_out(kept: Store) -> None:
    with_account("alice", "operator")
    browser = client()
    form = browser.get("/access/sign-in?next=/storage")
    assert form.status_code == 200
    assert 'value="/storage"' in form.text
    done = browser.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
    assert (done.status_code, done.headers["location"]) == (303, "/storage")
    token = browser.cookies[SESSION]
    assert signin.actor(token) == Actor("alice", "operator")
    assert browser.get("/access/sign-out").status_code == 200
    assert signin.actor(token), "a link signs nobody out"
    out = browser.post("/access/sign-out", data={"next": "/"}, headers=FROM_HERE)
    assert out.status_code == 303
    assert SESSION not in browser.cookies
    assert signin.actor(token) is None


def test_a_new_sign_in_ends_the_former_session_of_this_browser_and_a_wrong_one_does_not(kept: Store) -> None:
    with_account("alice", "operator")
    browser, other = client(), client()
    for one in (browser, other):
        one.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
    former = browser.cookies[SESSION]
    browser.post("/access/sign-in", data=SIGN_IN | {"password": "wrong"}, headers=FROM_HERE)
    assert signin.actor(former)
    browser.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
    assert browser.cookies[SESSION] != former
    assert signin.actor(former) is None
    assert signin.actor(browser.cookies[SESSION])
    assert signin.actor(other.cookies[SESSION])
    assert [one.action for one in audit.entries(limit=2)] == ["sign out", "sign in"]


@pytest.mark.parametrize(
    ("base", "origin", "name", "is_secure"),
    [
        (HOST, HOST, SESSION, False),
        ("https://console.example", "https://console.example", SECURE_SESSION, True),
        (HOST, "https://console.example", SECURE_SESSION, True),  # a proxy ends TLS and does not say so
    ],
)
def test_cookies(kept: Store, base: str, origin: str, name: str, is_secure: bool) -> None:
    with_account("alice", "operator")
    done = client(base).post("/access/sign-in", data=SIGN_IN, headers={"origin": origin})
    cookies = {line.split("=")[0]: line for line in done.headers.get_list("set-cookie")}
    assert set(cookies) == {name, access_routes.DEVICE}
    for line in cookies.values():
        assert "HttpOnly" in line
        assert "SameSite=strict" in line
        assert ("Secure" in line) is is_secure
        assert "Domain" not in line
    assert "Path=/;" in cookies[name] or cookies[name].endswith("Path=/")
    assert len(re.search(r"=([^;]+)", cookies[name])[1]) >= 43  # type: ignore[index]


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "null"}, {"origin": "http://evil.example"}, {"origin": "http://console.example.evil.example"},
     {"origin": "http://console.example:8080"}, {"referer": HOST}, {"origin": "http://["}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["sign-in", "sign-out", "password"])
def test_a_form_from_elsewhere_does_nothing(kept: Store, path: str, headers: dict[str, str]) -> None:
    with_account("alice", "operator")
    browser = client()
    token = signin.sign_in("alice", PASSWORD, signin.Place("192.0.2.7")).token
    browser.cookies.set(SESSION, token)
    new = "another good password"
    fields = SIGN_IN | {"present": PASSWORD, "new": new, "again": new}
    answer = browser.post(f"/access/{path}", data=fields, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert signin.actor(token)
    assert passwords.matches(accounts.known("alice").password_hash, PASSWORD)


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "evil",
     "/a\nb", "/a\tb", "///evil.example", "", "/access/sign-out", "/" + "x" * 3000, "/\x00", "http:///x", "//[x"],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(kept: Store, path: str) -> None:
    assert own_path(path) == "/"
    with_account("alice", "operator")
    done = client().post("/access/sign-in", data=SIGN_IN | {"next": path}, headers=FROM_HERE)
    assert done.headers["location"] == "/"


def test_an_own_path_keeps_its_parameters() -> None:
    assert own_path("/rollout?run=1&environment=prod") == "/rollout?run=1&environment=prod"


def test_hostile_text_is_shown_as_text(kept: Store) -> None:
    with_account("alice", "operator")
    hostile = '"><script>alert(1)</script>'
    answer = client().post(
        f"/access/sign-in?next={quote('/' + hostile)}", data={"name": hostile, "password": "x"}, headers=FROM_HERE
    )
    assert answer.status_code == 401
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_headers_of_the_forms(kept: Store) -> None:
    headers = client().get("/access/sign-in").headers
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("body", [b"name=a&password=" + b"x" * 10_000_000, b"\xff\xfe=1", b"a=1&" * 100])
def test_what_is_no_form_of_ours_is_refused(kept: Store, body: bytes) -> None:
    answer = client().post("/access/sign-in", content=body, headers=FROM_HERE)
    assert answer.status_code == 403


def test_a_one_time_password_leads_to_the_choice_of_one(kept: Store) -> None:
    one_time = accounts.add("alice", "operator")
    browser = client()
    done = browser.post("/access/sign-in", data=SIGN_IN | {"password": one_time}, headers=FROM_HERE)
    assert done.headers["location"] == "/access/password?next=%2Fstorage"
    assert signin.actor(browser.cookies[SESSION]) is None
    new = {"present": one_time, "new": "short", "again": "short", "next": "/storage"}
    refused = browser.post("/access/password", data=new, headers=FROM_HERE)
    assert refused.status_code == 401
    assert "12 are the least" in refused.text
    chosen = browser.post("/access/password", data=new | {"new": PASSWORD, "again": PASSWORD}, headers=FROM_HERE)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/storage")
    assert signin.actor(browser.cookies[SESSION]) == Actor("alice", "operator")


def test_the_choice_of_a_password_asks_for_a_session(kept: Store) -> None:
    browser = client()
    browser.cookies.set(SESSION, "forged")
    assert browser.get("/access/password").headers["location"].startswith("/access/sign-in")


def test_where_there_is_no_account_the_form_says_how_to_make_one(kept: Store) -> None:
    page = client().get("/access/sign-in").text
    assert "account add" in page
    assert "<form" not in page


def test_local_accounts_can_be_shut_off(kept: Store) -> None:
    with_account("alice", "operator")
    configure(kept, "[access]\nlocal_accounts = false\n")
    answer = client().post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
    assert "identity provider" in answer.text
    assert "set-cookie" not in answer.headers


def test_a_store_that_cannot_be_used_is_said_without_a_trace(kept: Store) -> None:
    accounts.every()
    kept.file.write_bytes(b"not a database" * 100)
    here = client()
    here.cookies.set(SESSION, "a token")
    for answer in (
        here.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE),
        here.get("/access/sign-in"),
        here.get("/access/password"),
    ):
        assert answer.status_code == 503
        assert "could not be used" in answer.text
        assert "Traceback" not in answer.text


def _browser(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(APP, client=(address, 1)), base_url=HOST, timeout=60)


def test_a_thousand_wrong_passwords_at_once(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one address against one name, with the real cost of a hash: nobody gets in, and the right one soon does."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1))
    with_account("alice", "operator")
    sent = {"name": "alice", "password": "wrong"}

    async def flood() -> tuple[list[int], float, int]:
        async with _browser("203.0.113.5") as attacker, _browser("192.0.2.7") as right:
            wrong = [
                asyncio.create_task(attacker.post("/access/sign-in", data=sent, headers=FROM_HERE)) for _ in range(1000)
            ]
            await asyncio.sleep(0.05)
            began = time.process_time()  # work, not waiting: the machine may be busy with other things
            answer = await right.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
            took_s = time.process_time() - began
            return [one.status_code for one in await asyncio.gather(*wrong)], took_s, answer.status_code

    statuses, took_s, status = finished(flood())
    assert status == 303
    assert took_s < 8
    assert statuses.count(401) == 5
    assert statuses.count(429) == 995
    assert len(audit.entries()) == 6


def test_a_thousand_names_at_once_leave_room_for_the_right_one(kept: Store) -> None:
    with_account("alice", "operator")

    async def flood() -> tuple[set[int], float, int]:
        async with _browser("203.0.113.5") as attacker, _browser("192.0.2.7") as right:
            wrong = [
                asyncio.create_task(
                    attacker.post("/access/sign-in", data={"name": f"user{n}", "password": "wrong"}, headers=FROM_HERE)
                )
                for n in range(1000)
            ]
            await asyncio.sleep(0.05)
            began = time.process_time()  # work, not waiting: the machine may be busy with other things
            answer = await right.post("/access/sign-in", data=SIGN_IN, headers=FROM_HERE)
            took_s = time.process_time() - began
            return {one.status_code for one in await asyncio.gather(*wrong)}, took_s, answer.status_code

    statuses, took_s, status = finished(flood())
    assert status == 303
    assert took_s < 8
    assert statuses <= {401, 429}
