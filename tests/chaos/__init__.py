"""Chains of real processes, in worlds of their own, to which something happens at a random moment."""
