"""The embedded TimescaleDB: its process, its schema, its simulated telemetry."""
