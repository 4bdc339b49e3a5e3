"""``/metrics/ms5ops``: alerts and figures for Prometheus, where ms5ops.toml switches it on, for a bearer token only."""

import asyncio
import hmac
import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ms5ops.alerts import exposition
from ms5ops.alerts.store import alert_store
from ms5ops.config import load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.ui.access_routes import base_path

log = logging.getLogger(__name__)
PATH = "/metrics/ms5ops"
_UNCACHED = {"cache-control": "no-store"}


async def metrics(request: Request) -> Response:
    """The exposition; 404 where the route is off, 401 without the token, 503 where alerts or token cannot be read."""
    try:
        return await asyncio.to_thread(_answer, request.headers.get("authorization", ""))
    except Ms5opsError as error:
        log.warning("The metrics could not be given: %s", error)
        return PlainTextResponse("The metrics cannot be given now; the console's log says why.\n", 503, _UNCACHED)


def _answer(authorization: str) -> Response:
    settings = load_settings().alerts.prometheus
    if not settings.enabled or settings.token is None:
        return PlainTextResponse("Not found\n", 404, _UNCACHED)
    token = settings.token.read("The token of the metrics").get_secret_value()
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        headers = {**_UNCACHED, "www-authenticate": "Bearer"}
        return PlainTextResponse("A bearer token is asked for.\n", 401, headers)
    return Response(exposition.text(alert_store()), 200, _UNCACHED, exposition.CONTENT_TYPE)


def routes() -> list[Route]:
    """The route, under the console's base path."""
    return [Route(f"{base_path()}{PATH}", metrics, methods=["GET"])]
