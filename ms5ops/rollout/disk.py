"""The free space of the server's disk, where it can be seen: SQL does not tell, the machine itself does."""

import os
from pathlib import Path

from ms5ops import paths
from ms5ops.config import SANDBOX
from ms5ops.environments import Connected
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout.pieces import FOLDER


def free_bytes(connected: Connected) -> int | None:
    """Free bytes where the server keeps its data; None where it runs elsewhere, or the role may not see where.

    The server is taken to run on this machine where both ends of the connection have one address (a port forwarded
    into a container has not), and its data directory exists here. Tablespaces are not looked at.
    """
    if connected.name == SANDBOX:
        return _free(paths.state_folder())
    row = connected.database.row(query(FOLDER, "disk_facts", ANY_VERSION).sql)
    folder = row["data_directory"]
    if not row["same_machine"] or not folder or not os.path.isdir(folder):
        return None
    return _free(Path(folder))


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
