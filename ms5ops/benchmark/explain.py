"""What EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) tells of a query: server time, pages, JIT, the plan's shape."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PlanFacts:
    """``server_ms`` without planning; pages of 8 kB over the whole plan; ``jit_ms`` None where nothing was compiled.

    ``shape``: the kinds of plan nodes from the top down, equal branches counted ("Sort > Append > 24 x Index Scan").
    ``shape_hash`` leaves out the counts: it stays the same while chunks come and go.
    """

    planning_ms: float
    server_ms: float
    buffers_hit: int
    buffers_read: int
    temp_blocks: int
    jit_ms: float | None
    workers: int
    shape: str
    shape_hash: str

    def details(self) -> dict[str, Any]:
        """By the names that ``records.Result.details`` uses."""
        return {
            "planning_ms": self.planning_ms,
            "server_ms": self.server_ms,
            "buffers_hit": self.buffers_hit,
            "buffers_read": self.buffers_read,
            "temp_blocks": self.temp_blocks,
            "jit": self.jit_ms is not None,
            "jit_ms": self.jit_ms,
            "workers": self.workers,
            "plan": self.shape,
            "plan_hash": self.shape_hash,
        }


def plan_facts(document: Mapping[str, Any]) -> PlanFacts:
    """The facts of one document, as the server gives it (the list around it taken off)."""
    plan = document["Plan"]
    jit = document.get("JIT")
    return PlanFacts(
        planning_ms=float(document["Planning Time"]),
        server_ms=float(document["Execution Time"]),
        buffers_hit=int(plan.get("Shared Hit Blocks", 0)),
        buffers_read=int(plan.get("Shared Read Blocks", 0)),
        temp_blocks=int(plan.get("Temp Read Blocks", 0)) + int(plan.get("Temp Written Blocks", 0)),
        jit_ms=float(jit["Timing"]["Total"]) if jit else None,
        workers=max(int(node.get("Workers Launched", 0)) for node in _nodes(plan)),
        shape=_shape(plan, counted=True),
        shape_hash=hashlib.sha256(_shape(plan, counted=False).encode()).hexdigest()[:16],
    )


def _shape(node: Mapping[str, Any], *, counted: bool) -> str:
    """``Sort > Append > 8 x (HashAggregate > Seq Scan)``: children of one shape are told once."""
    children = Counter(_shape(child, counted=counted) for child in node.get("Plans", ()))
    parts = [
        shape if not counted or count == 1 else f"{count} x {f'({shape})' if ' > ' in shape else shape}"
        for shape, count in children.items()
    ]
    below = parts[0] if len(parts) == 1 else f"({' + '.join(parts)})" if parts else ""
    return f"{_kind(node)} > {below}" if below else _kind(node)


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _kind(node: Mapping[str, Any]) -> str:
    kind = str(node["Node Type"])
    if kind == "Aggregate":
        strategy = {"Hashed": "Hash", "Sorted": "Group", "Mixed": "Mixed"}.get(str(node.get("Strategy")), "")
        kind = f"{strategy}Aggregate"
    return f"{node['Custom Plan Provider']}" if "Custom Plan Provider" in node else kind
