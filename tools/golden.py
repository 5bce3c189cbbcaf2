"""Write the golden numbers that `model` and `train` are tested against, computed by PyTorch in float64.

Usage: python tools/golden.py        (needs torch and numpy; `just golden-numbers` runs it in a virtual environment)

Weights, images and noise come from a formula in integers (golden_formula.py), so that the dumps stay small.
The dumps hold every term of the bound per image, and of each parameter's gradient its norm, its sum and 12 entries.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import golden_families
from golden_formula import gradient_summary, values

ROOT = Path(__file__).resolve().parent.parent
HIDDEN, LATENT, PIXELS, BATCH = 400, 20, 784, 6
BETA = 1.7


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU())
        self.mean = nn.Linear(HIDDEN, LATENT)
        self.log_variance = nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS))
        self.double()
        with torch.no_grad():
            for t, parameter in enumerate(self.parameters()):
                fan_in = parameter.shape[-1] if parameter.dim() == 2 else last_fan_in
                last_fan_in = fan_in
                parameter.copy_(values(t, tuple(parameter.shape), fan_in**-0.5))

    def terms(self, x, epsilon, likelihood, sigma):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        output = self.decoder(mean + torch.exp(0.5 * log_variance) * epsilon)
        if likelihood == "bernoulli":
            reconstruction = F.binary_cross_entropy_with_logits(output, x, reduction="none").sum(-1)
        else:
            reconstruction = -torch.distributions.Normal(output, sigma).log_prob(x).sum(-1)
        posterior = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
        prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        return reconstruction, torch.distributions.kl_divergence(posterior, prior)


def images_and_noise(step: int):
    return values(100 + step, (BATCH, PIXELS), 0.5) + 0.5, values(200 + step, (BATCH, LATENT), 2.0)


def dump(likelihood: str, sigma: float) -> dict:
    model = Vae()
    x, epsilon = images_and_noise(0)
    reconstruction, kl_per_dim = model.terms(x, epsilon, likelihood, sigma)
    objective = (reconstruction + BETA * kl_per_dim.sum(-1)).mean()
    objective.backward()
    gradients = {name: gradient_summary(parameter.grad, 12) for name, parameter in model.named_parameters()}
    return {
        "likelihood": likelihood,
        "sigma": sigma,
        "beta": BETA,
        "reconstruction": reconstruction.tolist(),
        "kl": kl_per_dim.sum(-1).tolist(),
        "kl_per_dim_of_first_image": kl_per_dim[0].tolist(),
        "objective": objective.item(),
        "gradients": gradients,
    }


def adam_steps() -> dict:
    """Objectives of ten updates, each on its own images: the whole of a training step."""
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    objectives = []
    for step in range(10):
        x, epsilon = images_and_noise(step)
        reconstruction, kl_per_dim = model.terms(x, epsilon, "bernoulli", 1.0)
        objective = (reconstruction + BETA * kl_per_dim.sum(-1)).mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        objectives.append(objective.item())
    return {"learning_rate": 1e-3, "beta": BETA, "objectives": objectives}


def main() -> None:
    made_by = {"script": "tools/golden.py", "torch": torch.__version__.split("+")[0], "precision": "float64"}
    vae = {"made_by": made_by, "cases": [dump("bernoulli", 1.0), dump("gaussian", 1.0), dump("gaussian", 0.3)]}
    adam = {"made_by": made_by, **adam_steps()}
    families = {"made_by": {**made_by, "script": "tools/golden_families.py"}, **golden_families.dump()}
    for path, content, indent in [
        (ROOT / "crates/model/tests/golden/vae-784-400-20.json", vae, 1),
        (ROOT / "crates/train/tests/golden/adam-784-400-20.json", adam, 1),
        (ROOT / "crates/model/tests/golden/families.json", families, None),
    ]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=indent) + "\n")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
