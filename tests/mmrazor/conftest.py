"""Tests with the installed MMRazor, in this process."""

from importlib.util import find_spec

import mmmgd.compat  # noqa: F401  (before MMRazor, which is imported below it)

collect_ignore_glob = [] if find_spec('mmrazor') else ['test_*.py']
