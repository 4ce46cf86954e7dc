"""Connectors: from the student's feature to a teacher-like one."""

from .align import AlignConnector
from .mgd import MGDConnector

__all__ = ['AlignConnector', 'MGDConnector']
