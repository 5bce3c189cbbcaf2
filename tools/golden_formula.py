"""The formula from which weights, images and noise of the golden dumps are made, and what is kept of a gradient.

Element k of tensor number t is (hash(k, t) / 2^24 - 1/2) * 2 * bound, hash being the top 24 bits of
(k * 2654435761 + t * 974634621 + 12345) mod 2^32, rounded to float32.
"""

import numpy as np
import torch


def values(t: int, shape: tuple[int, ...], bound: float) -> torch.Tensor:
    k = np.arange(int(np.prod(shape)), dtype=np.uint64)
    hashed = (k * np.uint64(2654435761) + np.uint64(t) * np.uint64(974634621) + np.uint64(12345)) % np.uint64(2**32)
    unit = (hashed >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5
    return torch.from_numpy((unit * 2 * bound).reshape(shape).astype(np.float32)).double()


def gradient_summary(gradient: torch.Tensor, n_entries: int) -> dict:
    flat = gradient.flatten()
    at = sorted({i * (flat.numel() - 1) // (n_entries - 1) for i in range(n_entries)})
    return {
        "norm": flat.norm().item(),
        "sum": flat.sum().item(),
        "at": at,
        "entries": [flat[i].item() for i in at],
    }
