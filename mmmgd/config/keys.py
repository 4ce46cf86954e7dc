"""Refuse unknown keys, and suggest the one that was meant."""

import difflib
from collections.abc import Iterable, Mapping

# What MMEngine's registries read in any config.
OF_REGISTRY = {'type', '_scope_'}

# What we offer, and how MMRazor, the authors (yzd-v/MGD) and others call it.
# A key of ours counts where it is known, a text where its first word is.
FOREIGN: dict[str, str] = {
    'student': 'architecture student_cfg',
    'teacher=dict(config=…)': 'teacher_cfg',
    'teacher=dict(checkpoint=…)': 'teacher_ckpt teacher_pretrained',
    'distill': 'distiller distill_cfg distill_losses',
    "inherit=['neck', 'bbox_head']": 'init_student',
    'config': 'cfg cfg_path teacher_cfg model',
    'checkpoint': 'weights weight pretrained ckpt ckpt_path init_cfg '
    'load_from teacher_ckpt teacher_pretrained',
    'points=dict(student=…, teacher=…)': 'student_module teacher_module',
    'loss=dict(loss_weight=…)': 'loss_weight alpha alpha_mgd',
    'connector=dict(mask_ratio=…)': 'mask_ratio lambda_mgd',
    'connector=dict(mask_dim=…)': 'mask_dim mask_on_channel',
    'mask_ratio': 'lambda lambda_ lambda_mgd',
    "mask_dim='channel'": 'mask_on_channel',
    'loss_weight': 'alpha alpha_mgd weight',
    'tau': 'temperature temp T',
    'beta': 'inter_loss_weight',
    'gamma': 'intra_loss_weight',
}


def check_keys(
    name: str, cfg: Mapping, known: Iterable[str], needed: Iterable[str] = ()
) -> None:
    """Refuse a dict with unknown keys, or without a required one.

    Args:
        name: Where the dict stands in the config, for messages.
        cfg: The dict.
        known: Keys that are read.
        needed: Keys that must be there.

    Raises:
        ValueError: Naming the key, and the right one where it can be told.
    """
    known = sorted(known)
    for key in cfg:
        if key not in known:
            raise ValueError(
                f'Expected the keys {", ".join(known)} in {name}, but got '
                f'{key!r}.{offer(key, known, name)}'
            )
    for key in needed:
        if key not in cfg:
            raise ValueError(
                f'Expected {key!r} in {name}, but got only {sorted(cfg)}.'
            )


def offer(key: str, known: Iterable[str], name: str = '') -> str:
    """Return ' Did you mean …?', or '' where nothing is close."""
    known = list(known)
    other_place = ''
    for ours, theirs in FOREIGN.items():
        if key in theirs.split():
            first = ours.partition('=')[0]
            if first in known:
                return _asked(ours)
            if ours != first and not name.endswith(first):
                other_place = other_place or _asked(ours)
    close = difflib.get_close_matches(key, known, n=1)
    return _asked(close[0]) if close else other_place


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that are most similar to a wrong one."""
    return difflib.get_close_matches(name, list(known), n=5, cutoff=0.5)


def _asked(text: str) -> str:
    if '=' in text:
        return f' Write {text}.'
    return f' Did you mean {text!r}?'
