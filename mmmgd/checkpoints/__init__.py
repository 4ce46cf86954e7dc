"""Files: safe reading, state dicts, whole-or-nothing writing."""
