"""Values and rules. Frozen dataclasses and pure functions on the standard library."""
