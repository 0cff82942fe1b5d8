"""Builders that several folders of tests share."""
