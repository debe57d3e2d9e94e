"""Data sets: sources, targets, splits, encoding, disk matrices, predictions."""
