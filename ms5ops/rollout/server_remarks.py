"""What of the server's remarks during an operation people should read: warnings, each kind once, and no noise."""

import re
from collections.abc import Iterable

_NOISE = (
    # For every column of a primary key that compression neither segments nor orders by. MS5.0's keys begin with a
    # number that is in no question asked of compressed chunks; whether the segments are right is what lint measures.
    re.compile(r'^WARNING:\s+column "[^"]+" should be used for segmenting or ordering$'),
)
_VARYING = re.compile(r'"_hyper_\d+_\d+_chunk"|\d+(?:\.\d+)?')
"""What differs between remarks of one kind: the chunk, and figures."""


def worth_noting(remarks: Iterable[str]) -> tuple[str, ...]:
    """The warnings among the server's remarks (``WARNING: ...``), in one line each and in order.

    Of one kind (the same but for chunk and figures) the first stands for all and says how many there were: a backlog
    of thousands of chunks would bury everything else.
    """
    kinds: dict[str, list[str]] = {}
    for remark in remarks:
        if remark.startswith("WARNING") and not any(noise.search(remark.strip()) for noise in _NOISE):
            kinds.setdefault(_VARYING.sub("", remark), []).append(" ".join(remark.split()))
    return tuple(
        same[0] if len(same) == 1 else f"{same[0]} (and {len(same) - 1:,} more like it)" for same in kinds.values()
    )
