"""The pool: runs vision on frames that dispatch hands out."""
