"""The whole line: real processes, real channels, real signals, a PLC peer that shares no code with the adapter."""
