"""The network: parameters, activations, layers, loss; numpy and scipy only."""
