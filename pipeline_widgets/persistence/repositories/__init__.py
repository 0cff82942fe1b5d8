"""Rows in, values out, one repository for each aggregate. Rules live in the domain."""
