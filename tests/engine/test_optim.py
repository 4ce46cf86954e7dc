"""bfloat16 on the CPU."""

import pytest
import torch
from mmengine.registry import OPTIM_WRAPPERS


def _wrapper(model, kind):
    return OPTIM_WRAPPERS.build(
        dict(
            type=kind,
            optimizer=torch.optim.SGD(model.parameters(), lr=1e-3),
        )
    )


@pytest.mark.parametrize('mask_dim', ['spatial', 'channel'])
def test_bfloat16_losses_are_within_one_percent(
    build, distiller_cfg, batch, mask_dim
):
    """Of float32's: the student's own, MGD's, and after a few steps."""
    losses = {}
    for kind in ('OptimWrapper', 'mmmgd.CPUAmpOptimWrapper'):
        cfg = distiller_cfg()
        cfg['distill']['loss_mgd']['connector']['mask_dim'] = mask_dim
        model = build(cfg).train()
        optim = _wrapper(model, kind)
        for part in model.student.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
            if hasattr(part, 'drop_prob'):
                part.drop_prob = 0.0
        logs = []
        for _ in range(3):
            with optim.optim_context(model):
                parsed, log = model.parse_losses(model(*batch, mode='loss'))
            logs.append([float(log[k]) for k in ('loss', 'loss_mgd')])
            optim.update_params(parsed)
        losses[kind] = torch.tensor(logs)
        assert all(p.dtype == torch.float32 for p in model.parameters())
    full, half = losses.values()
    torch.testing.assert_close(half, full, rtol=0.01, atol=0)
    assert not torch.equal(half, full)  # it did run in bfloat16
