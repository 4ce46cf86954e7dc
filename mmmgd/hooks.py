"""The hooks under the name that earlier versions gave them."""

from .engine.hooks import DistillHook, PreflightHook

__all__ = ['DistillHook', 'PreflightHook']
