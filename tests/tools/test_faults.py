"""What the tools do when something is wrong, run for real."""

import os

import pytest
import torch

pytest.importorskip('mmpretrain')
pytestmark = pytest.mark.usefixtures('in_project')


class Malicious:
    """Makes a folder as soon as it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('hacked',)


@pytest.mark.parametrize('door', ['test', 'load_from', 'resume'])
def test_a_file_with_code_is_refused_in_one_line(
    door, project, trained, train, tester
):
    """Also for a plain config, which has no hook of ours."""
    file = torch.load(trained / 'epoch_1.pth', weights_only=False)
    file['meta']['x'] = Malicious()
    torch.save(file, 'bait.pth')
    argv = ['tiny.py', '--work-dir', str(project / f'bait-{door}')]
    options = ['--cfg-options', f'experiment_name=bait-{door}']
    message = "error: 'bait.pth'.*mkdir.*TRUST="
    with pytest.raises(SystemExit, match=message):  # noqa: PT012
        if door == 'test':
            tester.main(['tiny.py', 'bait.pth', *argv[1:], *options])
        elif door == 'resume':
            train.main([*argv, '--resume', 'bait.pth', *options])
        else:
            train.main([*argv, *options, 'load_from=bait.pth'])
    assert not (project / 'hacked').exists()
