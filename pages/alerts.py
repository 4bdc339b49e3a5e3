"""Alerts: what needs somebody now, since when, who accepted it, what happened, and whether messages arrive."""

from ms5ops.ui import alert_parts as parts
from ms5ops.ui import shell

environment = shell.begin_without_reading(
    "Alerts", "What needs somebody now, what was accepted, what happened, and whether messages arrive."
)
board = parts.board(environment)
parts.verdict(board)
parts.open_alerts(board)
parts.quiet_alerts(board)
parts.tabs(board)
