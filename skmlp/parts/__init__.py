"""Data sets in parts: tables of which only some rows are in memory at a time."""
