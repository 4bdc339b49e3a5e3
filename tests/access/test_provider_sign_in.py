"""Signing in at an identity provider that really answers: Streamlit's own routes, with ours around them."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit import config
from streamlit.auth_util import encode_provider_token
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app import create_streamlit_middleware
from streamlit.web.server.starlette.starlette_auth_routes import create_auth_routes

from ms5ops.ui import access_routes, providers
from ms5ops.ui.http import MIDDLEWARE, ROUTES
from tests.finished import finished

CONSOLE = "https://console.example"
SECRETS = """
[auth]
redirect_uri = "{console}{base}/oauth2callback"
cookie_secret = "a secret of the tests that is long enough"
client_id = "ms5ops"
client_secret = "{secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


class Provider:
    """An identity provider on a port of this machine, whose only person is always signed in."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.nonces: dict[str, str] = {}
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        routes = [
            Route("/.well-known/openid-configuration", self._about),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/keys", lambda _asked: JSONResponse({"keys": [self.key.as_dict(private=False)]})),
        ]
        self._server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error"))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _about(self, _asked: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def _authorize(self, asked: Request) -> Response:
        query = asked.query_params
        self.nonces["a code"] = query["nonce"]
        answer = urlencode({"code": "a code", "state": query["state"]})
        return RedirectResponse(f"{query['redirect_uri']}?{answer}", 302)

    def _token(self, asked: Request) -> Response:
        if asked.headers["authorization"] != httpx.BasicAuth("ms5ops", "right")._auth_header:
            return JSONResponse({"error": "invalid_client"}, 401)
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url, "sub": "8f3a", "aud": "ms5ops", "nonce": self.nonces["a code"], "iat": now,
            "exp": now + 600, "email": "maria@example.org", "groups": ["ms5-operators"],
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})


@dataclass
class Visitor:
    """A browser before the console that ``app`` is, which goes where it is sent only if told to."""

    app: Starlette
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def get(self, address: str, **headers: str) -> httpx.Response:
        return finished(self._get(address, headers))

    async def _get(self, address: str, headers: dict[str, str]) -> httpx.Response:
        here = httpx.ASGITransport(self.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=here, base_url=CONSOLE, cookies=self.cookies) as asking:
            answer = await asking.get(address, headers=headers)
            self.cookies = asking.cookies
            return answer

    def sign_in(self, path: str = "/storage?window=7") -> httpx.Response:
        """Press the button on ``path``, be sent to the provider and back; the console's last answer."""
        sent = self.press(path)
        assert sent.status_code == 302, sent.text
        return self.get(httpx.get(sent.headers["location"]).headers["location"])

    def press(self, path: str) -> httpx.Response:
        asked = f"{access_routes.base_path()}/auth/login?provider={encode_provider_token('default')}"
        return self.get(asked, referer=CONSOLE + path)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture
def visitor(provider: Provider, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Before a console of that base path, secret and provider: ``request.param`` says what differs."""
    given = {"console": CONSOLE, "base": "", "secret": "right", "provider": provider.url} | getattr(
        request, "param", {}
    )
    file = tmp_path / "secrets.toml"
    file.write_text(SECRETS.format(**given))
    kept = {key: config.get_option(key) for key in ("secrets.files", "server.baseUrlPath")}
    config.set_option("secrets.files", [str(file)])
    config.set_option("server.baseUrlPath", given["base"].strip("/"))
    _forget()
    routes = [*ROUTES, *create_auth_routes(given["base"])]
    yield Visitor(Starlette(routes=routes, middleware=[*MIDDLEWARE, *create_streamlit_middleware()]))
    for key, value in kept.items():
        config.set_option(key, value)
    _forget()


def _forget() -> None:
    secrets_singleton._reset()
    providers.has_identity_provider.cache_clear()
    providers.address.cache_clear()


def test_it_leads_back_to_the_page_where_the_button_was(visitor: Visitor) -> None:
    done = visitor.sign_in("/storage?window=7")
    assert (done.status_code, done.headers["location"]) == (302, "/storage?window=7")
    assert "_streamlit_user" in visitor.cookies
    assert "ms5ops_next" not in visitor.cookies


@pytest.mark.parametrize("visitor", [{"base": "/ms5ops"}], indirect=True)
def test_under_a_base_path(visitor: Visitor) -> None:
    assert visitor.sign_in("/ms5ops/storage").headers["location"] == "/ms5ops/storage"
    assert visitor.sign_in("/storage").headers["location"] == "/ms5ops/", "another application of the same host"


def test_nobody_is_led_to_another_site(visitor: Visitor) -> None:
    asked = f"/auth/login?provider={encode_provider_token('default')}"
    sent = visitor.get(asked, referer="https://evil.example/storage")
    done = visitor.get(httpx.get(sent.headers["location"]).headers["location"])
    assert done.headers["location"] == "/"
    assert visitor.get(asked, referer="http://[").status_code == 302
    visitor.cookies.set("ms5ops_next", "//evil.example", domain="console.example", path="/oauth2callback")
    assert visitor.sign_in("//evil.example").headers["location"] == "/"


def test_the_cookies_are_for_https_though_the_proxy_does_not_tell_of_it(visitor: Visitor) -> None:
    inside = visitor.app

    async def behind_a_proxy(scope: Any, receive: Any, send: Any) -> None:
        await inside({**scope, "scheme": "http"}, receive, send)

    visitor.app = behind_a_proxy  # type: ignore[assignment]
    sent, done = visitor.press("/storage"), visitor.sign_in()
    set_cookies = sent.headers.get_list("set-cookie") + done.headers.get_list("set-cookie")
    names = {line.partition("=")[0] for line in set_cookies}
    assert names == {"_streamlit_session", "ms5ops_next", "_streamlit_user", "_streamlit_user_tokens"}
    for line in set_cookies:
        assert "; Secure" in line
        assert "httponly" in line.lower()
        assert "samesite=lax" in line.lower()


@pytest.mark.parametrize("visitor", [{"secret": "wrong"}], indirect=True)
def test_a_wrong_client_secret_is_said(visitor: Visitor) -> None:
    answer = visitor.sign_in("/storage")
    assert answer.status_code == 401
    assert "could not be used" in answer.text
    assert f"Open the console as {CONSOLE}" in answer.text
    assert 'href="/storage"' in answer.text
    assert "Traceback" not in answer.text
    assert "_streamlit_user" not in visitor.cookies


@pytest.mark.parametrize("visitor", [{"provider": "http://127.0.0.1:1"}], indirect=True)
def test_a_provider_that_is_down_is_said(visitor: Visitor) -> None:
    answer = visitor.press("/storage?window=7")
    assert answer.status_code == 503
    assert "The identity provider did not answer. Try again in a minute" in answer.text
    assert 'href="/storage?window=7"' in answer.text


def test_who_is_refused_by_the_provider_reads_that(visitor: Visitor) -> None:
    state = parse_qs(urlsplit(visitor.press("/storage").headers["location"]).query)["state"][0]
    answer = visitor.get(f"/oauth2callback?error=%3Cscript%3E&state={state}")
    assert answer.status_code == 401
    assert "did not let you in" in answer.text
    assert "script" not in answer.text


def test_an_answer_to_nobodys_question_is_refused_and_a_stale_one_leads_home(visitor: Visitor) -> None:
    assert visitor.get("/oauth2callback?code=x&state=forged").status_code == 401
    assert visitor.get("/oauth2callback").headers["location"] == "/", "so a provider leads back after a sign-out"
    visitor.sign_in()
    assert visitor.get("/oauth2callback?code=x&state=old").headers["location"] == "/"
