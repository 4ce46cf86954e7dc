"""Hooks that the registry ``mmmgd`` knows."""

from .channels_last_hook import ChannelsLastHook
from .data_hook import DataHook
from .distill_hook import DistillHook
from .feature_vis_hook import FeatureVisHook
from .finite_hook import FiniteHook
from .interrupt_hook import InterruptHook
from .monitor_hook import MonitorHook
from .preflight_hook import PreflightHook
from .progress_hook import ProgressHook
from .resume_hook import ResumeHook
from .run_state_hook import RunStateHook
from .schedule_hook import ScheduleHook
from .work_dir_hook import WorkDirHook

__all__ = [
    'ChannelsLastHook',
    'DataHook',
    'DistillHook',
    'FeatureVisHook',
    'FiniteHook',
    'InterruptHook',
    'MonitorHook',
    'PreflightHook',
    'ProgressHook',
    'ResumeHook',
    'RunStateHook',
    'ScheduleHook',
    'WorkDirHook',
]
