"""Benchmark runs as pages read them: the list kept for half a minute, a run for as long as there is room.

A stored run never changes, so that it needs no age; samples are read with the run that is looked at, and with no other.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from ms5ops.benchmark import store
from ms5ops.benchmark.records import Result, Run, RunHeader
from ms5ops.benchmark.sampling import samples_frame
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.benchmark.sides import deployment_spans
from ms5ops.benchmark.suite import Suite
from ms5ops.benchmark.suite_files import load_suite
from ms5ops.ui.readings import READ_TTL_S, Readings, history, times_forgotten


def run_headers(page: Readings) -> tuple[RunHeader, ...]:
    """The stored runs of this environment, or of the database behind it, oldest first; HistoryError as it comes.

    A sandbox that was filled anew is another database under the same name: its runs are there, told apart by source.
    """
    every = _headers()
    return tuple(one for one in every if page.source == one.source or page.connected.name == one.environment)


def suite(page: Readings) -> Suite:
    """What is asked of this environment; Ms5opsError names a file of its own questions that is wrong."""
    return _suite(page.connected.benchmarks)


def loaded(run_ids: Sequence[str]) -> tuple[Run, ...]:
    """Runs with results and samples, in the order of the ids. Shared: nothing in a page changes them."""
    return _runs(tuple(run_ids))


def without_samples(headers: Sequence[RunHeader]) -> tuple[Run, ...]:
    """Runs with results, but with no samples: for what is said of many runs at once. HistoryError as it comes."""
    results = _results(tuple(one.run_id for one in headers))
    none = samples_frame({})
    return tuple(Run(one, results.get(one.run_id, ()), none) for one in headers)


def samples_of(headers: Sequence[RunHeader], benchmark: str) -> pd.DataFrame:
    """The samples of one benchmark in many runs, as ``store.load_samples``. HistoryError as it comes."""
    return _samples(tuple(one.run_id for one in headers if not one.is_summary), benchmark)


def deployments(page: Readings) -> tuple[DeploymentSpan, ...]:
    """The deployments of this environment's database, oldest first; Ms5opsError where its journal cannot be read."""
    return _deployments(page.source, times_forgotten(page.source), page)


def forget_headers() -> None:
    """Let the next page load read the list afresh: a run has ended."""
    _headers.clear()


@st.cache_resource(ttl=READ_TTL_S, show_spinner=False, max_entries=8)
def _suite(folder: Path | None) -> Suite:
    return load_suite(folder)


@st.cache_resource(ttl=READ_TTL_S, show_spinner=False, max_entries=1)
def _headers() -> tuple[RunHeader, ...]:
    return store.run_headers(history())


@st.cache_data(ttl=READ_TTL_S, show_spinner=False, max_entries=32)
def _deployments(source: str, forgotten: int, _page: Readings) -> tuple[DeploymentSpan, ...]:  # cached by the first two
    return deployment_spans(_page.connected.database, source)


@st.cache_resource(show_spinner=False, max_entries=4)
def _results(run_ids: tuple[str, ...]) -> dict[str, tuple[Result, ...]]:
    return store.load_results(history(), run_ids)


@st.cache_resource(show_spinner="Reading the run", max_entries=24)
def _runs(run_ids: tuple[str, ...]) -> tuple[Run, ...]:
    return store.load_runs(history(), run_ids)


@st.cache_resource(show_spinner=False, max_entries=16)
def _samples(run_ids: tuple[str, ...], benchmark: str) -> pd.DataFrame:
    return store.load_samples(history(), run_ids, [benchmark])
