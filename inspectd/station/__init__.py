"""What the files say: station files and line.yaml, typed and bounded; and where the daemon keeps its state."""
