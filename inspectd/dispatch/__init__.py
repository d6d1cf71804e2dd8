"""Turns every trigger into exactly one verdict, in time."""
