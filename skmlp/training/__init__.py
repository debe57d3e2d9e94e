"""Training: batches, loop and monitor; network, loss and optimizer are arguments."""
