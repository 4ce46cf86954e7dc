"""The version, in a file that setup.py can read by itself."""

__version__ = '0.1.0'
