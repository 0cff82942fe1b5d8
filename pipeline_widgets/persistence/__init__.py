"""Rows and files. The only package that imports SQLAlchemy; artifacts.py is plain Python."""
