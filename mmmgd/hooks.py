"""The hooks of this package, each of which a config can name and tune."""

from .engine.hooks import (
    DataHook,
    DistillHook,
    FeatureVisHook,
    FiniteHook,
    InterruptHook,
    MonitorHook,
    PreflightHook,
    ResumeHook,
    RunStateHook,
    ScheduleHook,
    WorkDirHook,
)

__all__ = [
    'DataHook',
    'DistillHook',
    'FeatureVisHook',
    'FiniteHook',
    'InterruptHook',
    'MonitorHook',
    'PreflightHook',
    'ResumeHook',
    'RunStateHook',
    'ScheduleHook',
    'WorkDirHook',
]
