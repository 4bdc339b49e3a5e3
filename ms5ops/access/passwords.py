"""Passwords: what is accepted, how it is hashed, and the one-time ones; the only module that imports argon2."""

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ms5ops.errors import AccountError

LEAST_CHARACTERS = 12
LEAST_DIFFERENT = 5
MOST_BYTES = 1024
"""Nothing is cut off: a longer password is refused, so that hashing costs the same for everybody."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LETTERS = 4, 5

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with the parameters that OWASP's Password Storage Cheat Sheet names first: 19 MiB, two passes, one lane."""


def check(password: str, name: str) -> str:
    """The password as it is hashed (Unicode NFC), if ``name`` may have it; AccountError says why not."""
    normal = normalised(password)
    if len(normal) < LEAST_CHARACTERS:
        raise AccountError(
            f"The password has {len(normal)} characters, and {LEAST_CHARACTERS} are the least.",
            "Take a longer one: a few unrelated words are good.",
        )
    if len(normal.encode("utf-8", "replace")) > MOST_BYTES:
        raise AccountError(f"The password is longer than {MOST_BYTES:,} bytes.", "Take a shorter one.")
    if len(set(normal)) < LEAST_DIFFERENT or normal.casefold().replace(name.casefold(), "") == "":
        raise AccountError("The password is too easily guessed.", "Take a few unrelated words.")
    return normal


def normalised(password: str) -> str:
    """NFC: the same letters are the same password, however a keyboard composes them."""
    return unicodedata.normalize("NFC", password)


def hashed(password: str) -> str:
    """The argon2id hash of a password that ``check`` accepted, or of a one-time one."""
    return HASHER.hash(_bytes(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether it is that password. ``stored`` None (no such account) costs the same time and is never true."""
    try:
        return HASHER.verify(stored or _nobodys(HASHER), _bytes(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def one_time() -> str:
    """A password for one use, easy to read out: ``k3wpz-...``, about 99 bits."""
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS)]
    return "-".join(groups)


def _bytes(password: str) -> bytes:
    return normalised(password).encode("utf-8", "surrogatepass")


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """A hash that no password has, made with the parameters in use."""
    return hasher.hash(secrets.token_bytes(32))
