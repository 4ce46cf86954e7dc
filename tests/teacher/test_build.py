"""Where the config of a teacher is looked for."""

import pytest
from mmengine.config import Config

from mmmgd.teacher.build import build_frozen


def test_a_path_beside_the_config_says_how_every_tool_finds_it(
    tmp_path, monkeypatch
):
    folder, elsewhere = tmp_path / 'configs', tmp_path / 'elsewhere'
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (folder / 't.py').write_text("type = 'Identity'\n")
    with pytest.raises(FileNotFoundError, match=r'\{\{fileDirname\}\}/t.py'):
        build_frozen('t.py')
    # As the message says, read by MMEngine alone.
    (folder / 'c.py').write_text("config = '{{fileDirname}}/t.py'\n")
    said = Config.fromfile(str(folder / 'c.py')).config
    assert said == str(folder / 't.py')


@pytest.mark.parametrize('path', ['/nowhere/t.py', 'mmpretrain::no/such.py'])
def test_other_paths_have_no_such_advice(path):
    with pytest.raises(FileNotFoundError) as error:
        build_frozen(path)
    assert 'fileDirname' not in str(error.value)
