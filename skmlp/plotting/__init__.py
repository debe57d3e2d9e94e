"""Pictures in scikit-learn's Display manner; matplotlib is imported when drawing."""
