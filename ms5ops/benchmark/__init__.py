"""Benchmarks: the suite, the runner, load, what is kept of a run, and what can be said of two of them."""
