"""What the console adds to Streamlit's web server: sign-in, headers, metrics, and snapshots and alerts now and then."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ms5ops.alerts.watching import WatchTaken, evaluate
from ms5ops.collect import collect
from ms5ops.config import SANDBOX, Settings, load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.sandbox import replaying
from ms5ops.ui import access_routes, metrics_route, providers
from ms5ops.ui.provider_sign_in import NEXT, ProviderSignIn
from ms5ops.ui.proxies import ConfiguredProxies

log = logging.getLogger(__name__)

# Streamlit's front end needs inline styles, blob workers and eval (plotly, vega); nothing from elsewhere.
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
        " frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_OF_PROVIDER = (b"_streamlit_user", b"_streamlit_session", NEXT.encode())


class SecurityHeaders:
    """ASGI middleware that sets ``HEADERS`` on every HTTP response, and marks every cookie Secure where that is on TLS.

    A stricter policy of a response's own (the sign-in form's) stays.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [_cookie_as_due(pair, scope) for pair in message["headers"]]
                there = {name.decode("latin-1").lower() for name, _value in kept}
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name not in there]
                message = {**message, "headers": [*kept, *own]}
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _cookie_as_due(header: tuple[bytes, bytes], scope: Scope) -> tuple[bytes, bytes]:
    """Streamlit marks its cookies (of an OpenID Connect sign-in, too) HttpOnly but not Secure.

    A proxy that ends TLS may not say so; where the provider leads back to https, those of its sign-in are due there.
    """
    name, value = header
    is_secure = scope["scheme"] == "https" or (
        value.startswith(_OF_PROVIDER) and providers.address().startswith("https:")
    )
    if not is_secure or name.lower() != b"set-cookie" or b"; secure" in value.lower():
        return header
    return name, value + b"; Secure"


async def _replay_over(settings: Settings) -> None:
    """Wait while months are replayed in the sandbox, if that is what snapshots are taken of: it takes its own."""
    while settings.default == SANDBOX and replaying.status() is not None:
        await asyncio.sleep(1)


async def _snapshots() -> None:
    """At the configured interval, while the console runs: a snapshot of the default environment, and its alerts."""
    while True:
        every_minutes = 0
        try:
            settings = load_settings()
            every_minutes = settings.console.snapshot_every_minutes
            if every_minutes:
                await _replay_over(settings)
                await asyncio.to_thread(collect, settings)
        except Ms5opsError as error:
            log.warning("No snapshot was stored: %s", error)
        except Exception:  # a defect must not end the snapshots for as long as the console runs
            log.exception("No snapshot was stored")
        if every_minutes:
            await asyncio.to_thread(_watch)
        await asyncio.sleep(60 * (every_minutes or 15))


def _watch() -> None:
    """Evaluate the alerts of the default environment; after the snapshot, whose absence is itself an alert."""
    try:
        settings = load_settings()
        if settings.alerts.in_console:
            for one in evaluate(settings, wait_s=0).deliveries:
                if one.failure:
                    log.warning("An alert was not delivered: %s", one.failure)
    except WatchTaken:
        pass  # another process has just done it
    except Ms5opsError as error:
        log.warning("The alerts were not evaluated: %s", error)
    except Exception:  # as above
        log.exception("The alerts were not evaluated")


@asynccontextmanager
async def _lifespan(_app: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(_snapshots())
    try:
        yield
    finally:
        task.cancel()


ROUTES = [*access_routes.routes(), *metrics_route.routes()]
MIDDLEWARE = [Middleware(ConfiguredProxies), Middleware(SecurityHeaders), Middleware(ProviderSignIn)]
LIFESPAN = _lifespan
