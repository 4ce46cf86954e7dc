"""Checkpoint files: safe reading, state dicts, atomic writing."""
