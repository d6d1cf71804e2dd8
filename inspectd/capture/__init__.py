"""Collects pictures of good parts from a station's own camera, as the line sees them, to calibrate with."""
