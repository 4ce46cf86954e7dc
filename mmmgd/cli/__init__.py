"""Commands of ``python -m mmmgd``."""
