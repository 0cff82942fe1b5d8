"""Chains of training experiments in a notebook."""
