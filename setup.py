from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
STACKS = ('onedl', 'openmmlab')


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


# Both stacks provide the same modules under different distribution names, so
# neither may be a hard requirement: they are extras.
extras = {
    stack: requirements(
        *(f'{stack}-{p}' for p in ('torch', 'mmengine', 'mmcv', 'codebases'))
    )
    for stack in STACKS
}
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
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
