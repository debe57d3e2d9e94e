"""Combination of the networks of an ensemble: their weights and the temperature."""
