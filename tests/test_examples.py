"""The usage example of each public class, run as its docstring has it."""

import doctest

import pytest

import mmmgd

CLASSES = [name for name in mmmgd.__all__ if name != '__version__']


@pytest.mark.parametrize('name', CLASSES)
def test_the_example_of_a_class(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(mmmgd, name))
    (examples,) = [test for test in found if test.examples]
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(examples, out=report.append)
    assert result.attempted and not result.failed, ''.join(report)
