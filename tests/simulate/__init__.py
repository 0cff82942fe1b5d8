"""A small model of the rules, held against the services step by step."""
