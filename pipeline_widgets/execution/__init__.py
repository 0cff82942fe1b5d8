"""Carry out what the rows ask for: launchers, supervisors, workers, endpoints, and reconciliation."""
