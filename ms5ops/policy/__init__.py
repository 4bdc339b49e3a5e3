"""The desired state of a Phase 4 database (``default.toml`` and the SQL files it names), and the rules it must keep."""
