"""Measures how much `sample` and `every` make the gradient scatter.

    python tools/benchmark/variance.py

One batch, one student, many draws of the masks: the scatter is the root mean
square distance of the gradient at the student's feature from its mean, over
the length of that mean. `every=2` is on in one step and off in the next, at
twice the weight: counted over both.
"""

import argparse
import json
from collections.abc import Sequence

import torch
from torch import Tensor

from mmmgd.functional import mgd_loss
from mmmgd.models import MGDConnector

# C_s, C_t, N, H, W, mask ratio: segmentation and detection at small sizes
CASES = ((64, 256, 2, 32, 32, 0.75), (256, 256, 2, 28, 40, 0.65))


def main(argv: Sequence[str] | None = None) -> list[dict]:
    """Measure and print one line of json for each economy."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--draws', type=int, default=100)
    args = parser.parse_args(argv)
    rows = []
    for case in CASES:
        rows += measure(case, args.draws)
        for row in rows[-2:]:
            print(json.dumps(row, ensure_ascii=False))
    return rows


def measure(case: Sequence, draws: int) -> list[dict]:
    """Return the scatter of both economies, and that of full steps."""
    narrow, wide, n, h, w, ratio = case
    torch.manual_seed(0)
    connector = MGDConnector(ratio, 'spatial', narrow, wide, sample=0.25)
    feature = torch.randn(n, narrow, h, w, requires_grad=True)
    target = torch.randn(n, wide, h, w)
    full = [gradient(connector, feature, target, 1) for _ in range(draws)]
    some = [gradient(connector, feature, target, 0.25) for _ in range(draws)]
    halves = [2 * g if i % 2 else 0 * g for i, g in enumerate(full)]
    what = f'{narrow} → {wide}, {n} × {h} × {w}, λ {ratio}'
    return [
        dict(
            option=f'`{name}`, {what}',
            scatter=round(scatter(gradients), 4),
            full=round(scatter(full), 4),
        )
        for name, gradients in (('sample=0.25', some), ('every=2', halves))
    ]


def gradient(
    connector: MGDConnector, feature: Tensor, target: Tensor, share: float
) -> Tensor:
    """Draw a mask (and channels); return the gradient of the feature."""
    connector.sample = share
    channels = connector.draw_channels(feature)
    out = connector(feature, channels=channels)
    some = target if channels is None else target[:, channels]
    loss = mgd_loss(out, some) * (target.shape[1] / some.shape[1])
    return torch.autograd.grad(loss, feature)[0].flatten()


def scatter(gradients: Sequence[Tensor]) -> float:
    """Root mean square distance from the mean, over the mean's length."""
    every = torch.stack(list(gradients))
    mean = every.mean(0)
    # unbiased in both: the mean of k draws holds 1 / k of their variance
    variance = every.var(0).sum()
    length = mean.square().sum() - variance / len(every)
    return (variance / length.clamp_min(1e-30)).sqrt().item()


if __name__ == '__main__':
    main()
