"""The embedded trainers: small, deterministic, and written with numpy alone."""
