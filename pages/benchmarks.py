"""Benchmarks: how fast the questions are that users ask, and whether that keeps the promises."""

from ms5ops.ui import benchmark_parts as parts
from ms5ops.ui import measure_parts, shell

page = shell.begin("Benchmarks", "How fast are the questions that people ask, and does that keep what was promised?")
suite = parts.suite(page)
measure_parts.measure(page)
runs = parts.headers(page)
run = None if runs is None else parts.chosen_run(page, runs)
if runs is not None and run is not None:
    parts.headline(run, runs)
    parts.groups(run, suite)
    parts.tabs(page, run, runs)
