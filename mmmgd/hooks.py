"""The hooks of this package, each of which a config can name and tune."""

from .engine.hooks import (
    DataHook,
    DistillHook,
    FiniteHook,
    InterruptHook,
    PreflightHook,
    ResumeHook,
    RunStateHook,
    ScheduleHook,
)

__all__ = [
    'DataHook',
    'DistillHook',
    'FiniteHook',
    'InterruptHook',
    'PreflightHook',
    'ResumeHook',
    'RunStateHook',
    'ScheduleHook',
]
