"""How the circumstances of two sides differ, in words, before any verdict."""

from dataclasses import dataclass
from typing import Literal

Weight = Literal["spoils", "another cause", "expected", "noted"]
"""``spoils``: the sides measured different things. ``another cause``: a difference in speed may come from this as well
as from what was deployed. ``expected``: a deployment changes it. ``noted``: it explains nothing, but is told."""


@dataclass(frozen=True)
class Difference:
    """One difference. ``before`` and ``after`` are texts for people; ``remark`` says what it means, in a sentence."""

    subject: str
    before: str
    after: str
    weight: Weight
    remark: str
