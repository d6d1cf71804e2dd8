"""Triggers and frames from cameras."""
