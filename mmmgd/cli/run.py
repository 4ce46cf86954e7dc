"""``python -m mmmgd run TOOL``: our tools, wherever they lie.

The wheel carries them in ``mmmgd/.mim/tools``, as MMEngine's packages do; in a
checkout that is a link to ``tools/``. ``train`` and ``test`` are commands of
their own.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from mmmgd.config import close_names, package_folder


def main(argv: list[str]) -> int:
    """Run a tool with its arguments; without one, list them."""
    tools = find_tools()
    if not argv or argv[0] in ('-h', '--help'):
        print('usage: python -m mmmgd run TOOL [arguments]\ntools:')
        print('\n'.join(f'  {name}' for name in sorted(tools)))
        return 0 if argv else 2
    name, *rest = argv
    if name not in tools:
        close = ', '.join(close_names(name, list(tools)) or sorted(tools))
        raise ValueError(
            f'Expected the name of a tool, but got {name!r}. Close names: '
            f'{close}.'
        )
    command = name if name in ('train', 'test') else f'run {name}'
    sys.argv = [f'python -m mmmgd {command}', *rest]
    sys.path.insert(0, str(tools[name].parent))  # they import what is beside
    spec = spec_from_file_location(f'mmmgd_tool_{name}', tools[name])
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    return 0


def find_tools() -> dict[str, Path]:
    """Return the tools by their names, without those of development."""
    root = package_folder('mmmgd') / 'tools'
    folders = (root, *root.glob('*_tools'), *root.glob('*_converters'))
    files = [path for folder in folders for path in folder.glob('*.py')]
    # The others are parts of these.
    scripts = [p for p in files if "== '__main__'" in p.read_text('utf-8')]
    return {path.stem: path for path in scripts}
