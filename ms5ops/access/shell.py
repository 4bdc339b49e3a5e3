"""The command line's own actor: the user of the operating system that runs it.

Whoever can run it here can read the same files (and the deploy credential) without it, so by default they are admin.
``[access.shell] users`` names those who may act, with their roles, and then nobody else may (docs/adr/0008).
"""

import getpass
import os

from ms5ops import config
from ms5ops.access.roles import Actor

try:
    import pwd
except ImportError:  # not a POSIX system
    pwd = None  # type: ignore[assignment]


def user() -> str:
    """The user who owns this process; LOGNAME and USER, which anybody can set, are not asked where it can be helped."""
    if pwd is None:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid {os.getuid()}"


def actor() -> Actor | None:
    """Who acts here, with the role of this moment; None where ``[access.shell]`` does not name them."""
    table = config.load_settings().access.shell
    name = user()
    if table is None:
        return Actor(name, "admin", "shell")
    role = table.users.get(name)
    return Actor(name, role, "shell") if role else None
