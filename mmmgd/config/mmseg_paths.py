"""Let MMEngine find the configs of an ``mmseg::`` path on the OneDL stack."""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import is_installed


def mend_mmseg_paths() -> None:
    """Name the distribution that provides mmseg in MMEngine's table.

    ``mmengine/config/utils.py:22`` maps ``mmseg`` to ``mmsegmentation``.
    Beside ``onedl-mmsegmentation`` that is not there: ``Config.fromfile``
    fails, and ``mmengine/hub/hub.py:36`` pip-installs it over the user's
    environment.
    """
    names = (MODULE2PACKAGE['mmseg'], 'onedl-mmsegmentation', 'mmseg')
    MODULE2PACKAGE['mmseg'] = next(filter(is_installed, names), names[0])
