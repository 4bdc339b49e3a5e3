"""``python -m ms5ops run``: the console, and the sandbox under it where no server is configured."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ms5ops import paths, strict
from ms5ops.cli.account import first_admin
from ms5ops.cli.replayer import Replayer
from ms5ops.cli.sandbox import ensure_running, what_is_there
from ms5ops.cli.terminal import narration
from ms5ops.config import SANDBOX, Settings, load_settings
from ms5ops.errors import Ms5opsError
from ms5ops.replay.replay import is_due

FIRST_PORT = 8501
LOCAL = ("127.0.0.1", "0.0.0.0")  # noqa: S104 — compared with, not bound


def run(
    *,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port; by default 8501 or the next free.")
    ] = None,
    address: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    environment: Annotated[str | None, typer.Option(help="The environment to open with.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is a screen.")] = True,
    replay: Annotated[
        bool, typer.Option(help="Replay months of factory life in a sandbox that is empty, while the console runs.")
    ] = True,
    base_path: Annotated[
        str,
        typer.Option(
            envvar="STREAMLIT_SERVER_BASE_URL_PATH", help="What stands before every path: ops for /ops/storage."
        ),
    ] = "",
    certificate: Annotated[
        Path | None,
        typer.Option(
            envvar="STREAMLIT_SERVER_SSL_CERT_FILE", exists=True, dir_okay=False, help="Serve https with this (PEM)."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            envvar="STREAMLIT_SERVER_SSL_KEY_FILE", exists=True, dir_okay=False, help="The certificate's key (PEM)."
        ),
    ] = None,
) -> None:
    """Start the console and print its address; Ctrl-C ends it."""
    if (certificate is None) != (key is None):
        raise Ms5opsError(
            "A certificate is of use with its key only.", "Give both --certificate and --key, or neither."
        )
    check_secrets()
    settings = load_settings()
    chosen = settings.chosen(environment)
    replayer = None
    if chosen == SANDBOX:
        if replay and is_due(what_is_there()):
            first_admin()
            replayer = Replayer()
            replayer.start()
        else:
            ensure_running()
            first_admin()
    if port is not None and not _is_free(address, port):
        raise Ms5opsError(f"Port {port} on {address} is taken, or not this machine's.", "Give another with --port.")
    port = port or _free_port(address)
    host = "localhost" if address in LOCAL else f"[{address}]" if ":" in address else address
    base_path = base_path.strip("/")
    url = f"{'https' if certificate else 'http'}://{host}:{port}{f'/{base_path}' if base_path else ''}"
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            "streamlit_app.py",
            f"--server.port={port}",
            f"--server.address={address}",
            f"--server.baseUrlPath={base_path}",
            *([f"--server.sslCertFile={certificate.resolve()}"] if certificate else []),
            *([f"--server.sslKeyFile={key.resolve()}"] if key else []),
        ],
        cwd=paths.PROJECT,
        env=_variables(settings, environment),
        stdout=subprocess.DEVNULL,
    )
    threading.Thread(target=_announce, args=(url, chosen, server, browser), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ending this ends the console, however it is asked
    try:
        code = server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        if replayer:
            replayer.stop()
        narration.print(
            "\nThe console has stopped."
            + (" The sandbox runs on: python -m ms5ops sandbox stop" if chosen == SANDBOX else "")
        )
        return
    if code:
        raise Ms5opsError(f"The console ended with code {code}.", "The lines above say why; is the port taken?")


def check_secrets() -> None:
    """Ms5opsError where one of Streamlit's files of secrets cannot be read: the console would open no page."""
    for folder in (Path(os.path.expanduser("~")), paths.PROJECT):  # as Streamlit looks for them, also without a home
        file = folder / ".streamlit" / "secrets.toml"
        try:
            strict.parse_toml(file.read_text(encoding="utf-8"), file)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Ms5opsError(
                f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.",
                "Let the console's user read it and the folders above it, or set HOME to a folder of that user's own.",
            ) from error


def _variables(settings: Settings, environment: str | None) -> dict[str, str]:
    """The console's own: the environment to open with, and which proxies uvicorn believes (by default none).

    Streamlit is told an address to name itself by, or it asks the internet for one. An identity provider's tokens of
    somebody in 200 groups are cookies of 18 kB; beyond 8 kB the websocket would not open, and the page stay empty.
    """
    defaults = {
        "FORWARDED_ALLOW_IPS": ",".join(settings.access.trusted_proxies),
        "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",
        "WEBSOCKETS_MAX_LINE_LENGTH": "65536",
    }
    chosen = {} if environment is None else {"MS5OPS_ENVIRONMENT": environment}
    return {**defaults, **os.environ, **chosen}


def _announce(url: str, environment: str, server: "subprocess.Popen[bytes]", browser: bool) -> None:
    unchecked = ssl.create_default_context()  # the certificate names the host that people know, not this address
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    health = f"{url}/_stcore/health"
    while server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=1, context=unchecked):  # noqa: S310 — our own address
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    else:
        return
    narration.print(f"\nThe console is open on [bold]{url}[/] (environment: {environment}). Ctrl-C ends it.")
    if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(url)


def _free_port(address: str) -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 50):
        if _is_free(address, port):
            return port
    raise Ms5opsError(f"No port from {FIRST_PORT} to {FIRST_PORT + 49} is free.", "Give one with --port.")


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
