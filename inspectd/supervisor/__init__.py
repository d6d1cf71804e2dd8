"""Starts, watches and stops all processes: TABLE 2."""
