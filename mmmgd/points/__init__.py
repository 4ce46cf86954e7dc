"""Points: where features are read out of a model."""
