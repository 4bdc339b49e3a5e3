"""What Streamlit's own routes of a sign-in at an identity provider lack: the way back, and a word where it fails.

Streamlit leads to the start page from wherever somebody signed in, and there too, without a word, where the provider
refused them or could not be asked.
"""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ms5ops.errors import AccountError, Ms5opsError
from ms5ops.ui import providers
from ms5ops.ui.access_routes import base_path, host_of, instead, own_path

NEXT = "ms5ops_next"
"""The cookie that holds the way back, from the page where somebody signs in to the provider's answer."""
_NEXT_LASTS_S = 900
_LOGIN, _CALLBACK = "/auth/login", "/oauth2callback"
_USER = "_streamlit_user"
_ABOUT = "You are not signed in."


class ProviderSignIn:
    """ASGI middleware around Streamlit's two routes; everything else passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(base_path()) if scope["type"] == "http" else ""
        if path not in (_LOGIN, _CALLBACK):
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        request = Request(scope)
        instead_of_it = _to_provider(request, answer[0]) if path == _LOGIN else _from_provider(request, answer[0])
        if instead_of_it:
            await instead_of_it(scope, receive, send)
            return
        for message in answer:
            await send(message)


def _to_provider(request: Request, start: Message) -> Response | None:
    """Note the page that they come from; where the provider cannot be asked, say so."""
    came_from = _page_before(request)
    if start["status"] >= 400:
        refusal = Ms5opsError(
            "The identity provider did not answer.",
            "Try again in a minute; where that lasts, tell an admin: the console's log says why.",
        )
        return instead(refusal, _ABOUT, came_from)
    _set_next(MutableHeaders(raw=start["headers"]), came_from, _NEXT_LASTS_S)
    return None


def _from_provider(request: Request, start: Message) -> Response | None:
    """Lead those who are signed in back to where they were; say so where they are not."""
    headers = MutableHeaders(raw=start["headers"])
    next_path = own_path(request.cookies.get(NEXT, ""))
    cookies = [line.partition(";")[0].partition("=") for line in headers.getlist("set-cookie")]
    values = [value.strip('"') for name, _, value in cookies if name == _USER]
    if any(values):
        headers["location"] = next_path
        _set_next(headers, "", 0)
        return None
    if "error" in request.query_params:
        refusal = AccountError(
            "The identity provider did not let you in.",
            "Try again; where it was not you who broke off, tell an admin: the console's log says why.",
        )
        return instead(refusal, _ABOUT, next_path)
    is_stale = not values and _USER in request.cookies  # the way back of a browser that is signed in
    if "code" not in request.query_params or is_stale:
        return None
    refusal = AccountError(
        "What the identity provider answered could not be used.",
        f"Open the console as {providers.address()}, and sign in there; where that does not help, tell an admin: "
        "the console's log says why.",
    )
    return instead(refusal, _ABOUT, next_path)


def _page_before(request: Request) -> str:
    """The page of this console whose button led here, with its parameters."""
    came_from = request.headers.get("referer", "")
    if host_of(came_from) != request.headers.get("host", "").lower():
        return own_path("")
    referer = urlsplit(came_from)
    return own_path(f"{referer.path}?{referer.query}" if referer.query else referer.path)


def _set_next(headers: MutableHeaders, path: str, lasts_s: int) -> None:
    """SameSite=Lax, because the provider's answer comes from another site."""
    cookie = Response()
    cookie.set_cookie(
        NEXT, path, max_age=lasts_s, path=f"{base_path()}{_CALLBACK}", httponly=True, samesite="lax",
    )  # fmt: skip
    headers.append("set-cookie", cookie.headers["set-cookie"])
