"""Trackers of runs in other tools: a module for each tool, found by its entry point."""
