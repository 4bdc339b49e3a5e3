"""ms5ops: an operations console for TimescaleDB policy rollout and benchmark analytics."""

__version__ = "0.1.0"
