"""Months of factory life in the embedded engine: legacy months, Phase 4 by the real executor, and months after it.

Only the calendar is simulated: the engine's clock is moved (``SET ms5ops.clock``), and everything that it says, does
and takes is its own. What comes of it is kept with the origin "replayed" (docs/adr/0011).
"""
