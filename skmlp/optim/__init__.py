"""Optimisation of one flat vector: update rules, L-BFGS and learning-rate schedules."""
