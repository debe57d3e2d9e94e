"""Tables of any kind to one matrix of floats."""
