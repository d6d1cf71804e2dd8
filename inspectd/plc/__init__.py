"""Hands verdicts to the machine's bus; alone knows what the line saw."""
