"""Training: batches, loop and monitor; network, loss and optimiser are arguments."""
