"""The compiled twin of the engine: what it takes, and how it is handed over."""
