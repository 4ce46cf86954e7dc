"""Hooks that the registry ``mmmgd`` knows."""

from .distill_hook import DistillHook
from .preflight_hook import PreflightHook

__all__ = ['DistillHook', 'PreflightHook']
