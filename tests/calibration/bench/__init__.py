"""Tests of calibration/bench."""
