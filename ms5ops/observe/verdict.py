"""The sentence at the head of a page: how things are, for a manager."""

from dataclasses import dataclass

from ms5ops.observe.finding import Severity


@dataclass(frozen=True)
class Verdict:
    """What a manager reads first: how grave it is, and one or two sentences."""

    severity: Severity
    text: str
