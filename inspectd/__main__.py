"""`python -m inspectd` is the command `inspectd`."""

from inspectd.cli import main

if __name__ == "__main__":  # children that are spawned import this file too
    main()
