"""A Chromium-family browser of this machine, and pages printed by it: its own ``--print-to-pdf``, no second template.

It gets a folder of its own for profile and files, which is removed, none of this process's variables but those that it
needs to run, and no network.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ms5ops.reports.month import ReportError

VARIABLE = "MS5OPS_CHROMIUM"
NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "microsoft-edge-stable",
)  # fmt: skip
LIMIT_S = 60.0
"""A report takes 1 to 3 s; a browser that is started for the first time, on a slow disk, some more."""
QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-domain-reliability", "--disable-extensions", "--disable-quic", "--metrics-recording-only",
    "--no-default-browser-check", "--no-first-run", "--no-pings",
)  # fmt: skip
"""Nothing that a browser asks of its maker by itself."""
_OFFLINE = ("--proxy-server=127.0.0.1:9", "--proxy-bypass-list=<-loopback>")
"""All that it might ask of anybody goes to a proxy that is not there, as does what is on this machine."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "XDG_DATA_DIRS")
_SAID_MOST = 300


def find() -> str | None:
    """The path of the browser that ``MS5OPS_CHROMIUM`` names, or else of the first one on the PATH; None: none."""
    named = os.environ.get(VARIABLE)
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, NAMES)), None)


def found() -> str:
    """As ``find``; ReportError, with what to do instead, where there is none."""
    binary = find()
    if binary is not None:
        return binary
    named = os.environ.get(VARIABLE)
    raise ReportError(
        f"{VARIABLE} is {named}, which is no program that can be run."
        if named
        else "No browser was found that could print the report as PDF (Chromium, Chrome or Edge).",
        f"Write it as .html and print that from any browser; or install Chromium, or name one in {VARIABLE}.",
    )


def pdf(html: str, *, limit_s: float = LIMIT_S) -> bytes:
    """A page that needs nothing else as PDF, on the paper that its ``@page`` says.

    ReportError where there is no browser, where it fails, or takes longer than ``limit_s`` seconds.
    """
    binary = found()
    with tempfile.TemporaryDirectory(prefix="ms5ops-pdf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        page, printed, said = folder / "report.html", folder / "report.pdf", folder / "said"
        page.write_text(html, encoding="utf-8")
        command = [
            binary,
            "--headless",
            *QUIET,
            *_OFFLINE,
            "--disable-gpu",
            "--disable-dev-shm-usage",  # a container's /dev/shm is small
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # as root it starts no other way
            f"--user-data-dir={folder / 'profile'}",
            "--no-pdf-header-footer",
            "--print-to-pdf-no-header",  # its name before version 111
            f"--print-to-pdf={printed}",
            page.as_uri(),
        ]
        _run(command, _environment(folder), said, limit_s)
        made = printed.read_bytes() if printed.exists() else b""
        if not made.startswith(b"%PDF-") or b"%%EOF" not in made[-1024:]:
            raise _failed(f"{binary} has printed nothing", said)
        return made


def _run(command: list[str], environment: Mapping[str, str], said: Path, limit_s: float) -> None:
    """Run the browser to its end; whatever it started ends with it, also where this process is interrupted."""
    try:
        with said.open("wb") as output:  # no pipe: a child that outlives it would hold that open
            browser = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=said.parent,
                env=environment,
                start_new_session=True,
            )
    except OSError as error:
        raise ReportError(f"{command[0]} cannot be run: {error.strerror}.", _instead()) from error
    try:
        code = browser.wait(limit_s)
    except subprocess.TimeoutExpired as error:
        raise _failed(f"{command[0]} did not print the report within {limit_s:.0f} s", said) from error
    finally:
        _end(browser)
    if code != 0:
        raise _failed(f"{command[0]} ended with code {code}", said)


def _end(browser: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):  # all of it has ended
        os.killpg(browser.pid, signal.SIGKILL)  # the group's number is its leader's
    browser.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What the browser may know: no passwords, and no home to leave anything in."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"), str(folder))
    return {**kept, **homes}


def _failed(happened: str, said: Path) -> ReportError:
    """With the last line that the browser wrote, which mostly says why."""
    lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = f" (it said: {lines[-1].strip()[:_SAID_MOST]})" if lines else ""
    return ReportError(f"{happened}{last}.", _instead())


def _instead() -> str:
    return f"Write it as .html and print that from any browser, or name another one in {VARIABLE}."
