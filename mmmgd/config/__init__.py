"""Configs: read them, refuse the wrong ones, find the model in them."""

from .checks import (
    ALIKE,
    DEAD_KEYS,
    SHARDED,
    STUDENT_FILE,
    check_config,
    dead_keys,
    sharded_text,
)
from .crop import Size, as_size, stated_size
from .keys import OF_REGISTRY, check_keys, close_names, offer
from .model import (
    copy_config,
    drop_own_hooks,
    is_distilled,
    is_of_scope,
    student_config,
    teacher_configs,
    whole_model,
    with_preprocessor,
)
from .options import Options, positive
from .package_paths import mend_package_paths
from .reading import find_config, package_configs, package_folder, read_config

__all__ = [
    'ALIKE',
    'DEAD_KEYS',
    'OF_REGISTRY',
    'SHARDED',
    'STUDENT_FILE',
    'Options',
    'Size',
    'as_size',
    'check_config',
    'check_keys',
    'close_names',
    'copy_config',
    'dead_keys',
    'drop_own_hooks',
    'find_config',
    'is_distilled',
    'is_of_scope',
    'offer',
    'package_configs',
    'package_folder',
    'positive',
    'read_config',
    'sharded_text',
    'stated_size',
    'student_config',
    'teacher_configs',
    'whole_model',
    'with_preprocessor',
]

# The one thing that importing this package changes for the process.
mend_package_paths()
