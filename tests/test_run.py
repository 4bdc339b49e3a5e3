"""``python -m ms5ops run``: the console under a base path and behind a certificate of its own."""

import re
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ms5ops import paths
from ms5ops.cli.run import check_secrets
from ms5ops.errors import Ms5opsError
from tests.test_cli import call, variables_of

NO_SERVER = {"DB_HOST": "127.0.0.1", "DB_PORT": "1"}
"""The console starts without one, and says on its pages that there is none."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, with its key beside it as ``key.pem``."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    written = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(written)
    return folder / "certificate.pem"


@pytest.fixture(scope="module")
def address(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a console with base path and certificate says that it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    asked = ["run", "--no-browser", "--port", port, "--base-path", "/ops/", "--certificate", str(certificate)]
    console = subprocess.Popen(
        [sys.executable, "-m", "ms5ops", *asked, "--key", str(certificate.with_name("key.pem"))],
        env=variables_of(tmp_path_factory.mktemp("run"), **NO_SERVER),
        cwd=paths.PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert console.stderr
    said = next((line for line in console.stderr if "open on" in line), "")
    yield re.sub(r".* open on (\S+) .*\n", r"\1", said)
    console.terminate()
    console.communicate(timeout=20)


def test_it_says_where_it_is_and_serves_there_alone(address: str, certificate: Path) -> None:
    assert re.fullmatch(r"https://localhost:\d+/ops", address)
    trusting = ssl.create_default_context(cafile=str(certificate))

    def status(path: str) -> int:
        try:
            with urllib.request.urlopen(f"{address.removesuffix('/ops')}{path}", context=trusting) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert [status(f"/ops/{one}") for one in ("", "storage", "access/sign-in")] == [200, 200, 200]
    assert [status(f"/{one}") for one in ("", "storage", "access/sign-in")] == [404, 404, 404]


def test_a_certificate_without_its_key_is_refused(certificate: Path, tmp_path: Path) -> None:
    done = call("run", "--certificate", str(certificate), folder=tmp_path, **NO_SERVER)
    assert done.returncode == 2
    assert "A certificate is of use with its key only." in done.stderr
    assert "open on" not in done.stderr


def test_secrets_that_cannot_be_read_are_told_of_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".streamlit" / "secrets.toml"
    file.parent.mkdir()
    file.write_text("[auth]\nclient_id = ")
    done = call("run", folder=tmp_path, HOME=str(tmp_path), **NO_SERVER)
    assert done.returncode == 2
    assert f"{file} is not valid TOML" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(Ms5opsError, match="cannot be read: it is not UTF-8"):
        check_secrets()
    file.unlink()
    file.mkdir()
    with pytest.raises(Ms5opsError, match="cannot be read: Is a directory"):
        check_secrets()
    file.rmdir()
    check_secrets()
