"""The use cases: one method, one transaction; they return frozen values."""
