"""Benchmarks of the line, shipped."""
