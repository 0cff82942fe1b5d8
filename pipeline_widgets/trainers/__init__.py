"""Trainers of this package, one folder for each library that they are written with."""
