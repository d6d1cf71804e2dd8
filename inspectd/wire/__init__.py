"""All that crosses a process boundary: TABLE 1 (channels), the messages, their bytes, and the sockets."""
