"""Studies: a grid of trainings, its results as lines, and their summary."""
