"""Plots in the style of scikit-learn displays; matplotlib is imported when drawing."""
