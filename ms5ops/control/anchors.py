"""The audit log's head in the journals of the databases that are changed, which whoever holds the log cannot rewrite.

A deployment notes the head when it begins and when it has ended. Whoever puts an old copy of the whole log back, with
its key and its head, is found out by the journal of any database that was changed since.
"""

import logging
import re
import socket
from dataclasses import dataclass
from uuid import UUID

from ms5ops import paths
from ms5ops.access import audit
from ms5ops.access.audit import Head
from ms5ops.access.roles import Actor
from ms5ops.config import SANDBOX, Settings
from ms5ops.control.site import Site
from ms5ops.environments import connect
from ms5ops.errors import AuditError, Ms5opsError
from ms5ops.rollout import witness

log = logging.getLogger(__name__)

BEGINNING = "Audit log "
_NOTED = re.compile(r"(?P<key>\w+) of (?P<place>.+) at (?P<head>\S+)")
"""Which log: several consoles may change one database, each with a log of its own. It is this one where the key is the
same (a container made anew has another host name) or the place is (a log begun anew has another key)."""


@dataclass(frozen=True)
class Anchored:
    """Heads of this log that journals hold, and per environment (by name) why its journal could not be asked."""

    heads: tuple[Head, ...]
    unread: dict[str, str]


def text() -> str:
    """The head of now, for a journal."""
    return f"{BEGINNING}{audit.key_name()} of {_place()} at {audit.head()}"


def record_end(site: Site, ended: UUID, actor: Actor, action: str, outcome: audit.Outcome, **details: object) -> None:
    """Record how a run ended, and note the head with that entry in the journal of the deployment with the id ``ended``.

    Where the journal cannot be written the record stands all the same, and the log says that it has no witness.
    """
    audit.record(actor, action, site.connected.name, outcome, details)
    try:
        with site.write.session() as session:
            witness.note(session, ended, site.who, text())
    except Ms5opsError as error:
        log.warning("The audit log's head was not noted in the journal: %s", error)


def read(settings: Settings) -> Anchored:
    """The heads in the journals of all environments."""
    own, place = audit.key_name(), _place()
    heads: list[Head] = []
    unread: dict[str, str] = {}
    for name in (*settings.environments, SANDBOX):
        try:
            connected = connect(settings, name)
            try:
                for noted in witness.noted(connected.database, BEGINNING):
                    found = _NOTED.fullmatch(noted)
                    if found and (found["key"] == own or found["place"] == place):
                        heads.append(_head(found["head"]))
            finally:
                connected.database.close()
        except Ms5opsError as error:
            unread[name] = error.happened
    return Anchored(tuple(dict.fromkeys(heads)), unread)


def _place() -> str:
    return f"{socket.gethostname()}:{paths.state_folder().resolve()}"


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except AuditError:
        return Head(0, text)  # somebody wrote into the journal: it is in no log, and is told as that
