"""Configs: read them, refuse the wrong ones, find the model in them."""

from .checks import DEAD_KEYS, STUDENT_FILE, check_config
from .keys import check_keys, close_names, offer
from .mmseg_paths import mend_mmseg_paths
from .model import (
    copy_config,
    drop_own_hooks,
    is_distilled,
    is_of_scope,
    student_config,
    whole_model,
    with_preprocessor,
)
from .options import Options
from .reading import find_config, package_configs, read_config

__all__ = [
    'DEAD_KEYS',
    'STUDENT_FILE',
    'Options',
    'check_config',
    'check_keys',
    'close_names',
    'copy_config',
    'drop_own_hooks',
    'find_config',
    'is_distilled',
    'is_of_scope',
    'offer',
    'package_configs',
    'read_config',
    'student_config',
    'whole_model',
    'with_preprocessor',
]

# The one thing that importing this package changes for the process.
mend_mmseg_paths()
