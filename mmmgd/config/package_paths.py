"""Let MMEngine find the configs of ``mmseg::`` and ``mmmgd::`` paths."""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import is_installed


def mend_package_paths() -> None:
    """Name what provides mmseg and mmmgd in MMEngine's table.

    ``mmengine/config/utils.py:22`` maps ``mmseg`` to ``mmsegmentation``.
    Beside ``onedl-mmsegmentation`` that is not there: ``Config.fromfile``
    fails, and ``mmengine/hub/hub.py:36`` pip-installs it over the user's
    environment.

    A package that the table does not know is refused. Ours is named by a
    module of it, not by its distribution: MMEngine then asks Python for the
    folder, which is right for a wheel, an editable installation and a checkout
    on ``PYTHONPATH`` alike (``mmengine/utils/package_utils.py``).
    """
    names = (MODULE2PACKAGE['mmseg'], 'onedl-mmsegmentation', 'mmseg')
    MODULE2PACKAGE['mmseg'] = next(filter(is_installed, names), names[0])
    MODULE2PACKAGE['mmmgd'] = 'mmmgd.version'
