"""From the parameters of an estimator and its rows to the weights to keep, in order."""
