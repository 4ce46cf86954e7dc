"""The notebook runs from the first cell to the last, and promises nothing."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs/tutorials/quickstart.ipynb'


def test_it_has_no_outputs():
    cells = json.loads(NOTEBOOK.read_text('utf-8'))['cells']
    for cell in cells:
        assert not cell.get('outputs')
        assert not cell.get('execution_count')


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    pytest.importorskip('mmpretrain')
    pytest.importorskip('sklearn')
    pytest.importorskip('ipykernel')
    nbclient = pytest.importorskip('nbclient')
    nbformat = pytest.importorskip('nbformat')
    # A project of its own: data and work dirs are written below it.
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    monkeypatch.setenv('PATH', path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = shortened(cell)
    resources = dict(metadata=dict(path=str(tmp_path)))
    client = nbclient.NotebookClient(
        notebook, timeout=1200, resources=resources
    )
    client.execute()
    said = {cell['id']: text_of(cell) for cell in notebook.cells}
    assert 'backbone.layer4' in said['new']
    assert 'All keys matched' in said['load']
    assert 'mgd' in said['table']
    assert 'top1' in said['table']


def shortened(cell):
    """Let a training take a few epochs: the commands stay as they are."""
    epochs = dict(teacher=2, alone=10, mgd=10)
    name = re.search(r'--work-dir work_dirs/quickstart/(\w+)', cell.source)
    if not name:
        return cell.source
    n = epochs[name[1]]
    keys = ('train_cfg.max_epochs', 'train_cfg.val_interval')
    keys = (*keys, 'param_scheduler.T_max')
    options = ' '.join(f'{key}={n}' for key in keys)
    end = name.end()
    return f'{cell.source[:end]} --cfg-options {options}' + cell.source[
        end:
    ].replace(' --cfg-options', '')


def text_of(cell):
    """Return what a cell has said."""
    out = cell.get('outputs', [])
    return ''.join(
        o.get('text') or o.get('data', {}).get('text/plain', '') for o in out
    )
