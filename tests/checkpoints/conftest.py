import pytest
from mmengine.runner import CheckpointLoader

from mmmgd.checkpoints.reading import guard_mmengine


@pytest.fixture
def guarded():
    """MMEngine with our reader, and afterwards as it was."""
    schemes = dict(CheckpointLoader._schemes)
    guard_mmengine()
    yield
    CheckpointLoader._schemes = schemes
