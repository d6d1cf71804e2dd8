"""test_backbones.py needs torch and runs where it is installed: `make test-export`, a part of `make test`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_backbones.py"]
