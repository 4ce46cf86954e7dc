"""ViTKD out of the connectors and the loss, against its equation."""

import torch
from mmengine.registry import MODELS
from torch import nn

from mmmgd.models import AlignConnector, MGDConnector


def test_vitkd_from_its_equation():
    """α ‖fc(S) − T‖² / N + β / λ ‖hidden ⊙ (G(S') − T)‖² / N, on tokens."""
    n, side, narrow, wide = 2, 4, 4, 8
    alpha, beta, lam = 3e-5, 3e-6, 0.5
    generator = torch.Generator().manual_seed(0)
    low_s, high_s = torch.randn(
        2, n, side**2, narrow, generator=generator
    ).double()
    low_t, high_t = torch.randn(
        2, n, side**2, wide, generator=generator
    ).double()

    def as_map(tokens):
        return tokens.transpose(1, 2).reshape(n, -1, side, side)

    align = AlignConnector(narrow, wide).double()
    deep = MGDConnector(
        lam, 'spatial', narrow, wide, mask='fixed', mask_token=True
    ).double()
    nn.init.normal_(deep.mask_token)
    losses = [
        MODELS.build(dict(type='mmmgd.MGDLoss', **kwargs))
        for kwargs in (
            dict(loss_weight=alpha),
            dict(loss_weight=beta, hidden_only=True),
        )
    ]
    mask = deep.draw_mask(as_map(high_s))
    ours = losses[0](align(as_map(low_s)), as_map(low_t))
    ours = ours + losses[1](deep(as_map(high_s), mask), as_map(high_t), mask)

    def linear(conv, x):
        return x @ conv.weight[:, :, 0, 0].t() + conv.bias

    shallow = ((linear(align.align, low_s) - low_t) ** 2).sum() / n
    keep = mask.flatten(1)[:, :, None]  # (N, L, 1)
    token = deep.mask_token.flatten()
    tokens = torch.where(keep > 0, linear(deep.align, high_s), token)
    made = deep.generation(as_map(tokens)).flatten(2).transpose(1, 2)
    generated = (((1 - keep) * (made - high_t)) ** 2).sum() / n
    expected = alpha * shallow + beta / lam * generated
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=0)
    assert keep.sum(1).eq(side**2 / 2).all()
