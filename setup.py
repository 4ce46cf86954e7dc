import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
STACKS = ('onedl', 'openmmlab')
# What MMEngine and mim look for under `<package>/.mim`. In a checkout, and so
# in an editable installation, these are links to the root.
MIM = ('configs', 'tools', 'model-index.yml')


def requirements(*names):
    """Read requirements/<name>.txt, without comments and empty lines."""
    lines = []
    for name in names:
        text = (ROOT / 'requirements' / f'{name}.txt').read_text('utf-8')
        lines += [line.partition('#')[0].strip() for line in text.split('\n')]
    return [line for line in lines if line]


def version():
    """Read the version without importing the package."""
    scope = {}
    text = (ROOT / 'mmmgd' / 'version.py').read_text('utf-8')
    exec(text, scope)  # noqa: S102  (our own file)
    return scope['__version__']


def readme():
    """Return the README, or nothing in a tree that has none."""
    path = ROOT / 'README.md'
    return path.read_text('utf-8') if path.exists() else ''


class BuildWithMim(build_py):
    """Copy configs and tools into the wheel."""

    def run(self):
        """Build as usual, then fill ``mmmgd/.mim``."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'mmmgd', '.mim')
        shutil.rmtree(mim, ignore_errors=True)  # of an earlier build
        mim.mkdir()
        ignored = shutil.ignore_patterns('__pycache__', 'dev')
        for name in MIM:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, mim / name, ignore=ignored)
            else:
                shutil.copy(source, mim)


# Both stacks provide the same modules under different distribution names, so
# neither may be a hard requirement: they are extras.
extras = {
    stack: requirements(
        *(f'{stack}-{p}' for p in ('torch', 'mmengine', 'mmcv', 'codebases'))
    )
    for stack in STACKS
}
# One codebase with what it needs. MMPretrain: classification; MMDetection:
# boxes and instances; MMSegmentation: classes of pixels.
CODEBASES = {
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
}
for module, names in CODEBASES.items():
    for stack, name in zip(STACKS, names, strict=True):
        parts = (f'{stack}-{p}' for p in ('torch', 'mmengine', 'mmcv'))
        lines = requirements(f'{stack}-codebases')
        own = [line for line in lines if line.startswith(f'{name}==')]
        extras[f'{stack}-{module}'] = requirements(*parts) + own
extras.update({name: requirements(name) for name in ('build', 'demo', 'dev')})

setup(
    name='mmmgd',
    version=version(),
    description='Masked generative distillation for the OpenMMLab family',
    long_description=readme(),
    long_description_content_type='text/markdown',
    keywords='knowledge distillation, computer vision, OpenMMLab',
    license='Apache-2.0',
    packages=find_packages(include=['mmmgd', 'mmmgd.*']),
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require=extras,
    entry_points=dict(console_scripts=['mmmgd = mmmgd.__main__:main']),
    cmdclass=dict(build_py=BuildWithMim),
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
