"""The continuous aggregates of a schema as they are, and where they lack rows that no policy of theirs will add."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ms5ops.observe.server import Server, quoted
from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.rollout.records import AggregateState, Chunks, JobState, span
from ms5ops.rollout.rows import grants, instant, interval_text, read_rows

Row = Mapping[str, Any]
Range = tuple[datetime, datetime]
_RECENT = timedelta(days=1)
"""What is younger is left to the refresh policy, even where its reach is shorter."""


def read_aggregate_states(
    server: Server,
    policy: PolicySet,
    hypertables: Sequence[Row],
    *,
    chunks: Mapping[tuple[str, str], Chunks],
    ranges: Mapping[tuple[str, str], Sequence[Range]],
    jobs: Sequence[JobState],
) -> tuple[AggregateState, ...]:
    """All aggregates of the policy's schema, by name; those that the policy does not know too.

    ``chunks`` and ``ranges`` (of each chunk, oldest first) are by storage.
    """
    found = [row for row in server.rows("aggregates") if row["schema_name"] == policy.schema_name]
    if not found:
        return ()
    known = {(row["schema_name"], row["table_name"]): row for row in hypertables}
    texts = {
        (row["schema_name"], row["view_name"]): row["definition"] for row in read_rows(server, "aggregate_definitions")
    }
    views = {row["name"]: row for row in read_rows(server, "views", schema=policy.schema_name, views=[])}
    segments = {(row["hypertable_schema"], row["hypertable_name"]): row for row in server.rows("compression_settings")}
    gaps: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_rows(server, "unfilled"):
        gaps[row["storage_name"]].append(row)
    states = []
    for row in found:
        key, storage = (row["schema_name"], row["view_name"]), (row["storage_schema"], row["storage_name"])
        hyper, view = known[key], views[row["view_name"]]
        setting = segments.get(storage) if hyper["compression_enabled"] else None
        own = chunks.get(storage, Chunks())
        wanted, source = policy.aggregates.get(row["view_name"]), f"{row['source_schema']}.{row['source_name']}"
        reads = known.get((row["source_schema"], row["source_name"]))
        oldest = gap = None
        if wanted is not None and reads is not None and gaps[row["storage_name"]]:
            below = (reads["storage_schema"], reads["storage_name"])
            kept = [
                span(str(job.config.get("drop_after")))
                for job in jobs
                if (job.kind, job.target) == ("retention", source)
            ]
            look = _Look(server, wanted, bool(own.total), reads, ranges.get(below, ()), next(filter(None, kept), None))
            oldest, gap = look.gap(gaps[row["storage_name"]])
        states.append(
            AggregateState(
                name=f"{key[0]}.{key[1]}",
                source=source,
                definition=texts[key],
                owner=view["owner"],
                materialized_only=row["materialized_only"],
                chunk_interval=interval_text(hyper["chunk_interval"]),
                compression_enabled=hyper["compression_enabled"],
                segment_by=tuple(setting["segment_by"]) if setting else (),
                order_by=tuple(setting["order_by"]) if setting else (),
                comment=view["comment"],
                grants=grants(view["grants"]),
                used_by=tuple(view["used_by"]),
                storage=".".join(storage),
                unfilled_from=instant(gap),
                source_oldest=instant(oldest),
                chunks=own,
            )
        )
    return tuple(states)


@dataclass(frozen=True)
class _Look:
    """Whether an aggregate lacks rows of its source; the source is read only where one of its chunks lies in a gap.

    ``ranges``: of the source's chunks; between them nothing is ever filled (2.28 leaves such spans as they are).
    ``kept``: how long the source's retention keeps rows, None for ever.
    """

    server: Server
    wanted: AggregatePolicy
    is_filled: bool
    source: Row
    ranges: Sequence[Range]
    kept: timedelta | None

    def gap(self, gaps: Sequence[Row]) -> tuple[datetime | None, datetime | None]:
        """The oldest row of the source, and from where on one is missing that no policy will add."""
        now, wanted = self.server.read_at, self.wanted
        if not self.ranges or (wanted.start_offset is None and self.is_filled):
            return None, None  # nothing to read, or a policy that begins at the beginning
        # What is not whole by now cannot be filled, and what a policy reaches it will fill.
        reach = max(_RECENT, wanted.end_offset + 2 * wanted.bucket)
        if self.is_filled and wanted.start_offset is not None:
            reach = max(reach, wanted.start_offset)
        until, since = now - reach, self.ranges[0][0]
        if self.kept is not None:
            since = max(since, now - self.kept)
        if next(self._spans(gaps, since, until), None) is None:
            return None, None
        oldest = self._oldest_row()
        if oldest is None:
            return None, None
        # The bucket that holds the oldest row may have lost others to retention: a refresh must not rebuild it.
        lowest = max(oldest, since) + wanted.bucket
        return oldest, next(
            (max(first, oldest) for first, last in self._spans(gaps, since, until) if last >= lowest), None
        )

    def _spans(self, gaps: Sequence[Row], since: datetime, until: datetime) -> Iterator[Range]:
        """What lies in a gap, in a chunk, and between the two instants; oldest first."""
        ends = [end for _, end in self.ranges]
        for row in gaps:
            for start, end in self.ranges[bisect_right(ends, row["first_at"]) :]:
                if start > row["last_at"]:
                    break
                first, last = max(row["first_at"], start, since), min(row["last_at"], end, until)
                if first < last:
                    yield first, last

    def _oldest_row(self) -> datetime | None:
        relation = quoted(self.source["storage_schema"], self.source["storage_name"])
        names = {"relation": relation, "column": quoted(self.source["time_column"])}
        row = read_rows(self.server, "oldest_row", names, until=self.ranges[0][1])[0]
        return row["oldest"]  # type: ignore[no-any-return]
