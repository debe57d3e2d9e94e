"""Optimizers of one flat parameter vector, and learning-rate schedules."""
