"""``python -m mmmgd new``: what it refuses, in words, before it writes."""

from pathlib import Path

import pytest


def test_nothing_is_overwritten_without_force(new, plain, teacher):
    student = plain()
    Path('my_distill.py').write_text('# work of mine')
    _, err = new(student, 'wide.pth', status=1)
    assert 'my_distill.py exists' in err and '--force' in err
    assert Path('my_distill.py').read_text() == '# work of mine'
    assert not Path('my_distill_teacher.py').exists()
    new(student, 'wide.pth', '--force')


@pytest.mark.parametrize(
    ('student', 'teacher_', 'words'),
    [
        ('nowhere.py', 'wide.pth', ['nowhere.py', 'Close names']),
        ('plain.py', 'bare.pth', ['does not carry the config']),
        ('plain.py', 'wide.py', ["the teacher's `checkpoint`"]),
        ('plain.py', 'empty', ['Expected student.py in the work dir']),
        ('mgd.py', 'wide.pth', ['trains with a teacher already']),
        ('nothing.py', 'wide.pth', ['Expected a `model` in nothing.py']),
    ],
)
def test_bad_input(student, teacher_, words, new, plain, teacher):
    plain('nowhere_.py')
    plain()
    (teacher / 'empty').mkdir()
    (teacher / 'nothing.py').write_text('a = 1')
    (teacher / 'mgd.py').write_text("model = dict(type='mmmgd.MGDDistill')")
    _, err = new(student, teacher_, status=1)
    assert all(word in err for word in words), err
    assert not Path('my_distill.py').exists()


def test_a_student_that_does_not_train_by_itself_is_told_so(
    new, plain, teacher
):
    student = plain(**{'model.head.in_channels': 33})
    _, err = new(student, 'wide.pth', status=1)
    assert "The student's own config does not train" in err
    assert 'nothing of mmmgd took part' in err
