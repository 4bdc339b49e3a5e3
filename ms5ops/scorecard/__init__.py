"""The scorecard: every success criterion of Phase 4 beside what was measured, and by what."""
