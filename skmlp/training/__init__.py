"""Training: batches, the loop and its monitor; network, loss and optimiser come in as arguments."""
