"""Where each key of a JSON text stands, so that an error can name the line."""

import json
import re
from collections.abc import Mapping

Path = tuple[str, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_COLON = re.compile(r"\s*:")


def lines_of_keys(text: str) -> Mapping[Path, int]:
    """The line (from 1) of every key by its path; elements of lists count from 0. ``text`` is valid JSON.

    A key that is written twice in one object keeps its last line, as its last value is what a reader of JSON keeps.
    """
    found: dict[Path, int] = {}
    above: list[str] = []  # the keys of the objects and lists that are open
    lists: list[int | None] = []  # for each that is open: how far a list is, None for an object
    key = ""
    position, line = 0, 1
    for token in _TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position = token.start()
        what = token[0]
        if what in "{[":
            if lists:
                above.append(key)
            lists.append(0 if what == "[" else None)
            key = "0" if what == "[" else ""
        elif what in "}]":
            lists.pop()
            key = above.pop() if above else ""
        elif what == ",":
            place = lists[-1]
            if place is not None:
                lists[-1] = place + 1
                key = str(place + 1)
        elif what.startswith('"') and lists and lists[-1] is None and _COLON.match(text, token.end()):
            key = json.loads(what)
            found[(*above, key)] = line
    return found
