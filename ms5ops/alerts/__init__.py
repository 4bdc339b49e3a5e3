"""Alerts: what is wrong is judged by rules, kept with its history, and told to those who must know, once."""
