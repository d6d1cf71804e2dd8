"""inspectd: PASS or FAIL for every part on a line, learnt from pictures of good parts alone."""

__version__ = "0.1.0"
