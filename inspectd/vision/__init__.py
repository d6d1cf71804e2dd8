"""Numerics: from uint8 pixels to scores. No clock, no log, no sockets."""
