"""The line in a terminal, and none elsewhere."""

import io
import re
import sys

import pytest

pytestmark = pytest.mark.usefixtures('quick_start')


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(runner_cfg, distiller_cfg, run, monkeypatch):
    """Train with a screen as standard output; return what it shows."""

    def _screen(stream, **hook):
        cfg = runner_cfg(distiller_cfg(), epochs=2)
        cfg.log_level = 'INFO'
        cfg.default_hooks.logger = dict(type='LoggerHook', interval=4)
        if hook:
            cfg.default_hooks.progress = dict(
                type='mmmgd.ProgressHook', **hook
            )
        monkeypatch.setenv('TERM', 'xterm')
        monkeypatch.setenv('COLUMNS', '120')
        monkeypatch.setattr('mmmgd.engine.hooks.progress_hook.SECONDS', 0)
        monkeypatch.setattr(sys, 'stdout', stream)
        run(cfg)
        return re.sub(r'\x1b\[[0-9;]*m', '', stream.getvalue())  # colours

    return _screen


def test_epoch_step_losses_ratio_and_time_left(screen):
    text = screen(Terminal())
    assert re.search(r'epoch 1/2 .* 5/24 loss \d\S*  loss_mgd \d', text)
    last = re.search(r'epoch 2/2 .* 24/24 (.*)', text)[1]
    assert re.match(r'loss \S+  loss_mgd \S+  ratio \S+ +0:00:00', last)
    # The log goes on, above it: each of its lines begins one.
    assert text.count('Epoch(train)') == 6
    for line in text.splitlines():
        assert 'Epoch(train)' not in line or re.match(
            r'(\x1b\[2K|\r)*\d\d/\d\d', line
        )
    assert text.rstrip().endswith('\x1b[2K') or '\x1b[?25h' in text


def test_not_where_nobody_looks_or_wants_it(screen):
    for text in (screen(io.StringIO()), screen(Terminal(), enabled=False)):
        assert text.count('Epoch(train)') == 6
        assert 'epoch 1/2' not in text and '\x1b[?25l' not in text
