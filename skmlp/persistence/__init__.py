"""Fitted models, and fits that were cut off, as files that are safe to load."""
