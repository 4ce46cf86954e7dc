"""The demonstration: its stages, and how they are run."""
