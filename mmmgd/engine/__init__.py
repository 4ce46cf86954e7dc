"""What happens during a run: hooks, data position, optimizers."""
