"""What must hold on a GPU: `make test-gpu`. No operator of mmcv is needed.

Nobody has run it on every card: docs/clusters.md says how to report a result.
`TEST_DEVICE=cpu` tries the tests themselves.
"""

import copy
import os

import pytest
import torch
from small_models import distiller

from mmmgd.models import MGDConnector, MGDLoss

DEVICE = os.environ.get('TEST_DEVICE', 'cuda')
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        DEVICE == 'cuda' and not torch.cuda.is_available(),
        reason='needs a GPU',
    ),
]


@pytest.mark.parametrize('mask_dim', ['spatial', 'channel'])
def test_connector_and_loss_equal_those_of_the_cpu(mask_dim):
    """In float64, where only the order of sums differs."""
    torch.manual_seed(0)
    connector = MGDConnector(
        mask_ratio=0.5,
        mask_dim=mask_dim,
        student_channels=8,
        teacher_channels=16,
    ).double()
    student, teacher = torch.randn(4, 8, 7, 7), torch.randn(4, 16, 7, 7)
    shape = (4, 1, 7, 7) if mask_dim == 'spatial' else (4, 16, 1, 1)
    mask = torch.rand(shape).gt(0.5)
    results = []
    for device in ('cpu', DEVICE):
        here = copy.deepcopy(connector).to(device)
        feature = student.double().to(device).requires_grad_()
        out = here(feature, mask=mask.double().to(device))
        loss = MGDLoss(loss_weight=0.1)(out, teacher.double().to(device))
        loss.backward()
        grads = [p.grad.cpu() for p in here.parameters()]
        results.append([loss.detach().cpu(), feature.grad.cpu(), *grads])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


def test_the_mask_stays_on_the_device_and_hides_its_share():
    connector = MGDConnector(
        mask_ratio=0.5, student_channels=4, teacher_channels=4
    ).to(DEVICE)
    feature = torch.randn(16, 4, 32, 32, device=DEVICE)
    mask = connector.draw_mask(feature, feature)
    assert mask.device.type == DEVICE
    # 16384 draws: six standard deviations are 0.0235.
    assert abs(mask.float().mean().item() - 0.5) < 0.0235


@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
def test_a_step_trains_the_student_alone(dtype, build, batch):
    """With a precision of autocast, too: finite, and the teacher stays."""
    pytest.importorskip('mmpretrain')
    if DEVICE == 'cpu' and dtype is torch.float16:
        pytest.skip('half precision is for GPUs')
    model = build(copy.deepcopy(distiller())).to(DEVICE).train()
    images, samples = batch
    samples = [sample.to(DEVICE) for sample in samples]
    teacher = copy.deepcopy(model.teacher.module.state_dict())
    student = copy.deepcopy(model.student.state_dict())
    with torch.autocast(DEVICE, dtype=dtype, enabled=dtype is not None):
        losses = model(images.to(DEVICE), samples, mode='loss')
    total = sum(value.mean() for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert total.isfinite()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    after = model.teacher.module.state_dict()
    assert all(tensor.device.type == DEVICE for tensor in after.values())
    assert all(torch.equal(after[key], teacher[key]) for key in teacher)
    weight = 'backbone.conv1.weight'
    assert not torch.equal(model.student.state_dict()[weight], student[weight])


def test_the_student_of_a_gpu_loads_on_the_cpu(build, tmp_path):
    pytest.importorskip('mmpretrain')
    model = build(copy.deepcopy(distiller())).to(DEVICE)
    torch.save(model.student.state_dict(), tmp_path / 'student.pth')
    plain = build(copy.deepcopy(distiller()['student']), seed=1)
    state = torch.load(tmp_path / 'student.pth', map_location='cpu')
    plain.load_state_dict(state, strict=True)
