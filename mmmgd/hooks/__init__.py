"""Hooks that the registry ``mmmgd`` knows."""

from .distill_hook import DistillHook

__all__ = ['DistillHook']
