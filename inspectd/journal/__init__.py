"""What happened to every part: spool records, SQLite days, kept pictures. Everyone may import the reader."""
