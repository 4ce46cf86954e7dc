"""Registries of the scope ``mmmgd``, children of MMEngine's root ones.

``type='mmmgd.MGDConnector'`` resolves from a config of any scope without
``custom_imports``: MMEngine imports ``mmmgd.registry`` by itself when it meets
the scope, and the modules at ``locations`` when it first looks a name up.
"""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmmgd',
    locations=['mmmgd.models'],
)
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmmgd',
    locations=['mmmgd.engine.hooks'],
)
OPTIM_WRAPPERS = Registry(
    'optimizer wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope='mmmgd',
    locations=['mmmgd.engine.optim'],
)
