"""Golden numbers of the crate `measure`, from scikit-image and SciPy: python tools/golden_measure.py > crates/measure/tests/golden.json"""

import json

import numpy as np
from scipy.ndimage import gaussian_filter, laplace
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def images(n, channels, height, width, grain_over=1):
    """The same as `images` in crates/measure/tests/golden.rs: smooth shapes and grain, from integers alone."""
    i, c, y, x = np.meshgrid(*(np.arange(k) for k in (n, channels, height, width)), indexing="ij")
    shape = ((x - 9 - i) ** 2 + (2 * y - 25 + 3 * i - 2 * c) ** 2 < 60 + 20 * i).astype(np.int64)
    grain = ((i * 7919 + c * 6101 + y * 104729 + x * 1299709) % 97 // grain_over).astype(np.int64)
    return ((shape * 150 + grain) / 255).astype(np.float32)


def main():
    clean = images(6, 2, 24, 28)
    made = images(6, 2, 24, 28, grain_over=3)
    pairs = list(zip(clean, made))

    def ssim(a, b):
        _, full = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True
        )
        return float(full[5:-5, 5:-5].mean())

    # One channel, since the blur is found of all channels at once.
    single = images(6, 1, 24, 28)[:, 0].astype(np.float64)
    ratio = lambda of: sum(laplace(x, mode="reflect").var() for x in of) / sum(x.var() for x in of)
    blurs = {}
    for sigma in (1.0, 1.5, 2.5):
        blurred = [gaussian_filter(x, sigma, mode="reflect", truncate=10) for x in single]
        blurs[str(sigma)] = ratio(blurred) / ratio(single)
    print(
        json.dumps(
            {
                "ssim": [float(np.mean([ssim(a[c].astype(np.float64), b[c].astype(np.float64)) for c in range(2)])) for a, b in pairs],
                "psnr": [float(peak_signal_noise_ratio(a.astype(np.float64), b.astype(np.float64), data_range=1)) for a, b in pairs],
                "sharpness_ratio_after_blur": blurs,
            },
            indent=1,
        )
    )


main()
