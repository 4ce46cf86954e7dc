"""The training run: hooks, resuming, data, optimizers."""
