"""A real line on real parts, started by one command."""
