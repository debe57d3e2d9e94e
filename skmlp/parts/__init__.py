"""Data sets in parts: how networks learn from rows that are not all in one place."""
