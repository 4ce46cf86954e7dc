"""The usage example of each public class, run as its docstring has it."""

import doctest

import pytest

import mmmgd

CLASSES = [name for name in mmmgd.__all__ if name != '__version__']


@pytest.mark.parametrize('name', CLASSES)
def test_the_example_of_a_class(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(mmmgd, name))
    (examples,) = [test for test in found if test.examples]
    try:
        doctest.DebugRunner().run(examples)
    except doctest.UnexpectedException as error:
        raise error.exc_info[1] from None
    except doctest.DocTestFailure as failure:
        pytest.fail(f'{failure.example.source}gave {failure.got}')
