"""What makes rows come true: launchers, supervisors, the processes that train, and reconciliation."""
