"""Sign-in, sign-out and the choice of a password: plain HTML forms, because a Streamlit page cannot set a cookie.

The cookies are HttpOnly and SameSite=Strict, and Secure where the browser is on https. A POST is taken only from a form
of this console: its Origin must be the host that it was sent to.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from jinja2 import Environment, FileSystemLoader
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit import get_option

from ms5ops import paths
from ms5ops.access import accounts, signin
from ms5ops.access.gate import Gate, LaneFull
from ms5ops.access.signin import Place, SignedIn, TooManyTries
from ms5ops.config import load_settings
from ms5ops.errors import AccountError, Ms5opsError
from ms5ops.ui import providers

log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]

SESSION, DEVICE = "ms5ops_session", "ms5ops_device"
SECURE_SESSION = f"__Host-{SESSION}"
"""The prefix keeps other hosts of the domain, and pages without TLS, from setting it."""
_BODY_LIMIT = 16_384
_NAME_LIMIT = 200
_CLOSED_LIMIT = 10_000
_GATE = Gate()
_CLOSED: dict[tuple[str, Place], float] = {}
"""Until when (monotonic seconds) tries of that name from there are refused: what the store said last."""
_TEMPLATES = Environment(loader=FileSystemLoader(paths.PROJECT / "ms5ops" / "ui"), autoescape=True, auto_reload=False)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
}


@dataclass(frozen=True)
class Field:
    """An input of a form."""

    name: str
    label: str
    kind: Literal["text", "password"]
    autocomplete: str
    value: str = ""


class NotFromHere(AccountError):
    """A form was sent by a page of another site, or is too large for one of ours."""


def address(name: Literal["sign-in", "sign-out", "password"], next_path: str = "") -> str:
    """The address of one of the forms; ``next_path`` is where it leads to afterwards."""
    query = f"?next={quote(own_path(next_path), safe='')}" if next_path else ""
    return f"{base_path()}/access/{name}{query}"


def own_path(text: str) -> str:
    """The path if it is one of this console, or else the start page: nobody is sent to another site by a link here."""
    home = f"{base_path()}/"
    if len(text) > 2_000 or not text.isprintable() or "\\" in text or text.startswith("//"):
        return home
    try:
        parts = urlsplit(text)
    except ValueError:
        return home
    is_own = not parts.scheme and not parts.netloc and parts.path.startswith(home)
    return text if is_own and not parts.path.startswith(f"{base_path()}/access/") else home


def session_token(cookies: dict[str, str]) -> str | None:
    """The token in the cookies of a request; the one that was set over TLS counts before the other."""
    return cookies.get(SECURE_SESSION) or cookies.get(SESSION)


async def sign_in(request: Request) -> Response:
    """The form; and with a right name and password, a session."""
    next_path = own_path(request.query_params.get("next", ""))
    if not providers.has_local_accounts():
        return _page(
            "Sign in", "People sign in here through the identity provider, from the console's side bar.", next_path
        )
    if request.method != "POST":
        return await _sign_in_form(next_path)
    name = ""
    try:
        sent = await _form(request)
        next_path, name = own_path(sent.get("next", "")), sent.get("name", "")
        begun = await _begin(name, _place(request))
        async with _GATE.turn(begun.lane):
            done = await asyncio.to_thread(signin.finish_try, begun, sent.get("password", ""))
        for former in (SESSION, SECURE_SESSION):  # the browser forgets them: nobody could end them any more
            await asyncio.to_thread(signin.sign_out, request.cookies.get(former))
    except Ms5opsError as error:
        return await _sign_in_form(next_path, error, name)
    leads_to = address("password", next_path) if done.account.must_change else next_path
    return _with_cookies(RedirectResponse(leads_to, 303, _HEADERS), request, done)


async def _begin(name: str, place: Place) -> signin.Try:
    """Count the try; where it is refused, the next ones are refused without asking the store until then.

    A flood of them then costs next to nothing, and does not hold up the one who knows the password.
    """
    key = (name[:_NAME_LIMIT], place)
    until = _CLOSED.get(key, 0.0)
    if until > time.monotonic():
        raise TooManyTries(until - time.monotonic())
    try:
        return await asyncio.to_thread(signin.begin_try, name, place)
    except TooManyTries as refusal:
        if len(_CLOSED) >= _CLOSED_LIMIT:
            _CLOSED.clear()
        _CLOSED[key] = time.monotonic() + refusal.wait_s
        raise


async def sign_out(request: Request) -> Response:
    """A form with one button (a link alone must not sign anybody out), and the end of the session."""
    next_path = own_path(request.query_params.get("next", ""))
    if request.method != "POST":
        return _page(
            "Sign out", "This ends your session in this browser.", next_path, action="sign-out", button="Sign out"
        )
    try:
        sent = await _form(request)
        await asyncio.to_thread(signin.sign_out, session_token(dict(request.cookies)))
    except Ms5opsError as error:
        return _page("Sign out", "Nothing was changed.", next_path, error)
    answer = RedirectResponse(own_path(sent.get("next", "")), 303, _HEADERS)
    for cookie in (SESSION, SECURE_SESSION):
        answer.delete_cookie(cookie, path="/", secure=cookie == SECURE_SESSION, httponly=True, samesite="strict")
    return answer


async def password(request: Request) -> Response:
    """The form to choose a password: after a one-time one, or at will."""
    next_path = own_path(request.query_params.get("next", ""))
    token = session_token(dict(request.cookies))
    holder = await asyncio.to_thread(signin.holder, token)
    if holder is None:
        return RedirectResponse(address("sign-in", next_path), 303, _HEADERS)
    error = None
    if request.method == "POST":
        try:
            sent = await _form(request)
            next_path = own_path(sent.get("next", ""))
            chosen = (sent.get(key, "") for key in ("present", "new", "again"))
            async with _GATE.turn(f"session of {holder.name}"):
                await asyncio.to_thread(signin.choose_password, token, *chosen)
            return RedirectResponse(next_path, 303, _HEADERS)
        except Ms5opsError as refusal:
            error = refusal
    why = "Your password was for one use: choose your own." if holder.must_change else "All your other sessions end."
    fields = [
        Field("present", "Present password", "password", "current-password"),
        Field("new", "New password (at least 12 characters)", "password", "new-password"),
        Field("again", "New password once more", "password", "new-password"),
    ]
    return _page("Choose a password", why, next_path, error, action="password", button="Save", fields=fields)


def routes() -> list[Route]:
    """The three forms, under the console's base path."""
    return [
        Route(f"{base_path()}/access/{name}", _answered(handler), methods=["GET", "POST"])
        for name, handler in (("sign-in", sign_in), ("sign-out", sign_out), ("password", password))
    ]


def instead(error: Ms5opsError, about: str, next_path: str) -> Response:
    """A page that says what went wrong at a sign-in, in place of whatever was asked for."""
    return _page("Sign in", about, next_path, error)


def _answered(handler: Handler) -> Handler:
    """The handler; where not even its form can be made (the accounts cannot be read), that is said in its place."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Ms5opsError as error:
            return instead(error, "This cannot be done now.", own_path(""))

    return answer


async def _sign_in_form(next_path: str, error: Ms5opsError | None = None, name: str = "") -> Response:
    if error is None and not await asyncio.to_thread(accounts.every):
        return _page(
            "Sign in",
            "There is no account yet. On the console's host: python -m ms5ops account add NAME --role admin",
            next_path,
        )
    fields = [
        Field("name", "Name", "text", "username", name[:64]),
        Field("password", "Password", "password", "current-password"),
    ]
    about = "To the operations console."
    return _page("Sign in", about, next_path, error, action="sign-in", button="Sign in", fields=fields)


def _page(
    title: str,
    about: str,
    next_path: str,
    error: Ms5opsError | None = None,
    *,
    action: Literal["sign-in", "sign-out", "password"] = "sign-in",
    button: str = "",
    fields: list[Field] | None = None,
) -> Response:
    text = _TEMPLATES.get_template("access_form.html.j2").render(
        title=title, about=about, next=next_path, error=str(error) if error else "", button=button,
        action=address(action), fields=fields or [],
    )  # fmt: skip
    wait = {"retry-after": str(round(error.wait_s + 0.5))} if isinstance(error, TooManyTries) else {}
    return HTMLResponse(text, _status(error), _HEADERS | wait)


def _status(error: Ms5opsError | None) -> int:
    if isinstance(error, NotFromHere):
        return 403
    if isinstance(error, TooManyTries | LaneFull):
        return 429
    if isinstance(error, AccountError):
        return 401
    return 503 if error else 200


async def _form(request: Request) -> dict[str, str]:
    """The fields that were sent; NotFromHere where they come from another site or are larger than a form of ours."""
    origin = request.headers.get("origin")
    if origin is None or host_of(origin) != request.headers.get("host", "").lower():
        log.warning("A form was refused: origin %.200r, host %.200r", origin, request.headers.get("host"))
        raise NotFromHere(
            "This form was not sent from this console.",
            "Open the console and sign in there; a proxy before it must pass the Host header on.",
        )
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _BODY_LIMIT:
                raise NotFromHere("What was sent is too large for this form.", "Use the form of this console.")
        sent = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except (ValueError, ClientDisconnect) as error:
        raise NotFromHere("What was sent cannot be read.", "Use the form of this console.") from error
    return {key: values[0] for key, values in sent.items()}


def host_of(address: str) -> str | None:
    """Host and port of an address as a browser writes it, in small letters; None where it is none."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return None


def _place(request: Request) -> Place:
    return Place(request.client.host if request.client else "", request.cookies.get(DEVICE))


def _with_cookies(answer: Response, request: Request, done: SignedIn) -> Response:
    # The browser names the scheme that it sees; a proxy that ends TLS may not pass that on.
    is_secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    hours = load_settings().access.session_hours
    answer.set_cookie(
        SECURE_SESSION if is_secure else SESSION, done.token, max_age=hours * 3600, path="/", secure=is_secure,
        httponly=True, samesite="strict",
    )  # fmt: skip
    answer.set_cookie(
        DEVICE, done.device, max_age=int(signin.KNOWN_FOR.total_seconds()), path=f"{base_path()}/access",
        secure=is_secure, httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


def base_path() -> str:
    """What stands before every path of this console (``server.baseUrlPath``): ``/ms5ops``, or nothing."""
    path = str(get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""
