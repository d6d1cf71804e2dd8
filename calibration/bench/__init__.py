"""Benchmarks of accuracy, speed and coreset that ship with inspectd."""
