"""Which errors end in one message, and which keep their traceback."""

import pytest
from mmengine.registry import MODELS
from torch.utils.data import DataLoader

from mmmgd.cli.messages import message_of, one_message
from mmmgd.config import read_config
from mmmgd.points.propose import propose_pairs


def _told(action, **options) -> str:
    with pytest.raises(SystemExit) as end, one_message(**options):
        action()
    return str(end.value.code)


def _missing():
    read_config('nowhere.py')


def test_an_error_that_we_raise_is_one_message():
    assert _told(_missing).startswith(
        "error: Expected a config at 'nowhere.py', but there is no such file"
    )


def test_the_flag_shows_the_traceback():
    with pytest.raises(FileNotFoundError), one_message(traceback=True):
        _missing()


def test_a_bug_keeps_its_traceback():
    def foreign():
        raise ValueError('of somebody else')

    def inside():
        propose_pairs([None], [])  # fails on a line of ours without `raise`

    for bug, kind in ((foreign, ValueError), (inside, AttributeError)):
        with pytest.raises(kind), one_message():
            bug()


@pytest.mark.parametrize(
    ('cfg', 'text'),
    [
        (dict(type='NoSuchModel'), 'NoSuchModel is not in the mmengine'),
        (dict(type='mmmgd.MGDLoss', alpha=1), "keyword argument 'alpha'"),
        (
            dict(type='mmmgd.MGDLoss', loss_weight=-1),
            'error: Expected `loss_weight`',
        ),
    ],
)
def test_what_a_config_describes_and_cannot_be_built_is_one_message(cfg, text):
    assert text in _told(lambda: MODELS.build(cfg))


def test_ours_counts_inside_the_error_of_a_framework():
    def wrapped():
        try:
            _missing()
        except FileNotFoundError as error:
            raise RuntimeError('something failed') from error

    assert 'nowhere.py' in _told(wrapped)


class _Items:
    def __len__(self):
        return 1

    def __getitem__(self, index):
        from mmmgd.checkpoints.reading import CheckpointError

        raise CheckpointError('x.png is damaged.')


def test_an_error_of_a_worker_process_is_one_message():
    loader = DataLoader(_Items(), num_workers=1)
    assert _told(lambda: next(iter(loader))) == 'error: x.png is damaged.'


def test_text_of_a_key_error_has_no_quotation_marks():
    with pytest.raises(KeyError) as raised:
        MODELS.build(dict(type='NoSuchModel'))
    assert str(message_of(raised.value)).startswith('KeyError: NoSuchModel is')


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('a = dict(\n', "c.py' is no Python: line 1"),
        ("_base_ = 'd.py'\nx = _base_.modle\n", 'ConfigDict.*modle'),
    ],
)
def test_a_config_that_is_no_config_is_named(tmp_path, text, told):
    (tmp_path / 'd.py').write_text('model = dict()\n')
    path = tmp_path / 'c.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_config(str(path))
