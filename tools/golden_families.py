"""Golden numbers of every net, decoder, latent, prior and objective, with PyTorch's own layers and distributions.

Small models, float64. Each case names the settings that differ from a plain VAE's as an experiment would, so that the
test builds its model from the same words. `tools/golden.py` writes what `dump` returns.
"""

import math
from unittest import mock

import torch
from torch import distributions as D
from torch import nn
from torch.nn import functional as F

from golden_formula import gradient_summary, values

HIDDEN, LATENT, BATCH, SAMPLES, N_TRAIN, BETA, PROGRESS = 12, 3, 6, 3, 1000, 1.7, 1.5
GRAY, COLOUR, EVEN = (1, 9, 7), (2, 10, 8), (1, 10, 8)


class Gated(nn.Module):
    """h(x) * sigmoid(g(x)): the layer of Tomczak & Welling's code."""

    def __init__(self, layer) -> None:
        super().__init__()
        self.h, self.g = layer(), layer()

    def forward(self, x):
        return self.h(x) * torch.sigmoid(self.g(x))


def hidden(layer, activation: str) -> list[nn.Module]:
    if activation == "gated":
        return [Gated(layer)]
    return [layer(), {"relu": nn.ReLU, "tanh": nn.Tanh, "softplus": nn.Softplus}[activation]()]


class Prior(nn.Module):
    """Holds the parameters of p(z) under the names of `prior.…`."""

    def __init__(self, setting, n_pixels: int) -> None:
        super().__init__()
        if "mixture" in setting:
            n = setting["mixture"]["components"]
            self.means = nn.Parameter(torch.empty(n, LATENT))
            self.log_variances = nn.Parameter(torch.empty(n, LATENT))
            self.logits = nn.Parameter(torch.empty(1, n))
        elif "vamp" in setting:
            self.pseudo_inputs = nn.Parameter(torch.empty(setting["vamp"]["components"], n_pixels))
        elif "flow" in setting:
            couplings = range(setting["flow"]["couplings"])
            self.couplings = nn.ModuleList(Coupling(n, setting["flow"]["hidden"]) for n in couplings)


class Coupling(nn.Module):
    """From z towards the base: every second dimension is shifted and scaled by what the others say."""

    def __init__(self, n: int, width: int) -> None:
        super().__init__()
        self.kept = torch.tensor([d % 2 == n % 2 for d in range(LATENT)])
        self.hidden, self.log_scale = nn.Linear(LATENT, width), nn.Linear(width, LATENT)
        self.shift = nn.Linear(width, LATENT)

    def forward(self, z):
        h = torch.tanh(self.hidden(torch.where(self.kept, z, 0.0)))
        return torch.where(self.kept, z, (z - self.shift(h)) * torch.exp(-torch.tanh(self.log_scale(h))))


class Flow:
    """log p(z) by the change of variables, with the Jacobian by automatic differentiation."""

    def __init__(self, couplings: nn.ModuleList) -> None:
        self.to_base = nn.Sequential(*couplings)

    def log_prob(self, z):
        flat = z.reshape(-1, LATENT)
        jacobian = torch.func.vmap(torch.func.jacrev(self.to_base))(flat)
        base = D.Normal(torch.zeros(LATENT).double(), 1.0).log_prob(self.to_base(flat)).sum(-1)
        return (base + torch.linalg.slogdet(jacobian).logabsdet).view(z.shape[:-1])


class Likelihood(nn.Module):
    """Holds the parameters of p(x|z) under the names of `likelihood.…`."""

    def __init__(self, kind: str, settings: dict, image: tuple[int, int, int]) -> None:
        super().__init__()
        if kind == "gaussian-spectral":
            self.log_sigma = nn.Parameter(torch.empty(1, int(rings(image).max()) + 1), requires_grad=False)
        elif kind == "gaussian-shared":
            self.log_sigma = nn.Parameter(torch.empty(1, 1), requires_grad=settings.get("variance") != "optimal")
        elif kind == "discretised-logistic":
            self.log_scale = nn.Parameter(torch.empty(1, 1))


def rings(image: tuple[int, int, int]) -> torch.Tensor:
    """Of each wave `[height, width]` its frequency in cycles along the longer side, rounded (halves up)."""
    y, x = (torch.fft.fftfreq(n).double() for n in image[1:])
    return torch.floor(torch.hypot(y[:, None], x[None]) * max(image[1:]) + 0.5).long()


def stationary(variance: torch.Tensor, image: tuple[int, int, int]) -> torch.Tensor:
    """The covariance of pixels whose waves have these variances `[height, width]`, channels apart from each other."""
    deltas = torch.eye(math.prod(image[1:])).double().view(-1, *image[1:])
    of_channel = torch.fft.ifft2(torch.fft.fft2(deltas) * variance).real.flatten(1)
    return torch.block_diag(*[of_channel] * image[0])


def tagged(setting) -> tuple[str, dict]:
    return (setting, {}) if isinstance(setting, str) else next(iter(setting.items()))


class Model(nn.Module):
    def __init__(self, model: dict, objective: dict, image: tuple[int, int, int]) -> None:
        super().__init__()
        self.image = image
        self.objective_kind, self.objective_settings = tagged(objective.get("kind", "elbo"))
        self.likelihood_kind, self.likelihood_settings = tagged(model.get("likelihood", "bernoulli"))
        self.latent_kind, self.latent_settings = tagged(model.get("latent", "gaussian"))
        self.prior_setting = model.get("prior", {})
        self.is_autoencoder = model.get("kind") == "autoencoder"
        self.latent_noise = model.get("latent_noise", 0.0)
        self.gradient, self.kl_parts = objective.get("gradient"), objective.get("kl_parts", "both")
        self.n_draws = objective.get("samples", 1)
        self.build(model, image)
        self.prior = Prior(self.prior_setting, math.prod(image))
        self.likelihood = Likelihood(self.likelihood_kind, self.likelihood_settings, image)
        self.double()

    def build(self, model: dict, image: tuple[int, int, int]) -> None:
        activation = model.get("activation", "relu")
        n_outputs = 2 if self.likelihood_kind == "gaussian-per-pixel" else 1
        widths = model.get("hidden", [HIDDEN])
        conv = model["net"]["conv"] if "net" in model else None
        encoder, back = [], []  # `back` makes images of the deepest features
        if conv:
            kernel, stride, padding = conv.get("kernel", 3), conv.get("stride", 2), conv.get("kernel", 3) // 2
            padding -= 1 - kernel % 2
            inputs, (height, width) = image[0], image[1:]
            for outputs in conv["channels"]:
                small = (-(-height // stride), -(-width // stride))
                encoder += hidden(
                    lambda i=inputs, o=outputs: nn.Conv2d(i, o, kernel, stride, padding), activation
                )
                output_padding = tuple(
                    large - ((little - 1) * stride - 2 * padding + kernel)
                    for large, little in zip((height, width), small)
                )
                made = inputs if back else n_outputs * inputs
                enlarge = lambda i=outputs, o=made, p=output_padding: nn.ConvTranspose2d(
                    i, o, kernel, stride, padding, output_padding=p
                )
                back = (hidden(enlarge, activation) if back else [enlarge()]) + back
                inputs, (height, width) = outputs, small
            encoder.append(nn.Flatten())
            deepest = (inputs, height, width)
            features = math.prod(deepest)
        else:
            features = math.prod(image)
        n_deep = features
        for width in widths:
            encoder += hidden(lambda i=features, o=width: nn.Linear(i, o), activation)
            features = width
        decoder, inputs = [], LATENT
        for width in reversed(widths):
            decoder += hidden(lambda i=inputs, o=width: nn.Linear(i, o), activation)
            inputs = width
        if conv:
            decoder += hidden(lambda: nn.Linear(inputs, n_deep), activation)
            decoder += [nn.Unflatten(1, deepest), *back, nn.Flatten()]
        else:
            decoder.append(nn.Linear(inputs, n_outputs * math.prod(image)))
        self.takes_images = conv is not None
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        heads = ["latent"] if self.is_autoencoder else ["logits"]
        if self.latent_kind == "gaussian" and not self.is_autoencoder:
            heads = ["mean", "log_variance"]
        for name in heads:
            setattr(self, name, nn.Linear(features, LATENT))

    def features(self, x):
        return self.encoder(x.view(-1, *self.image) if self.takes_images else x)

    def normal(self, x):
        h = self.features(x)
        return D.Independent(D.Normal(self.mean(h), torch.exp(0.5 * self.log_variance(h))), 1)

    def posterior(self, x):
        if self.latent_kind == "bernoulli":
            return D.Independent(D.Bernoulli(logits=self.logits(self.features(x))), 1)
        return self.normal(x)

    def p_z(self):
        if self.latent_kind == "bernoulli":
            return D.Independent(D.Bernoulli(probs=torch.full((LATENT,), 0.5).double()), 1)
        if "mixture" in self.prior_setting:
            p = self.prior
            normals = D.Independent(D.Normal(p.means, torch.exp(0.5 * p.log_variances)), 1)
            return D.MixtureSameFamily(D.Categorical(logits=p.logits[0]), normals)
        if "vamp" in self.prior_setting:
            u = self.prior.pseudo_inputs
            posteriors = self.normal(torch.clamp(u, 0.0, 1.0))
            return D.MixtureSameFamily(D.Categorical(probs=torch.ones(len(u)).double()), posteriors)
        if "flow" in self.prior_setting:
            return Flow(self.prior.couplings)
        return D.Independent(D.Normal(torch.zeros(LATENT).double(), torch.ones(LATENT).double()), 1)

    def reconstruction(self, z, x, is_training: bool):
        """-log p(x|z); `z` is [samples, images, D], `x` [images, P]."""
        output = self.decoder(z.flatten(0, 1)).view(*z.shape[:2], -1)
        x = x.expand(len(z), -1, -1)
        kind, settings = self.likelihood_kind, self.likelihood_settings
        if kind == "bernoulli":
            return F.binary_cross_entropy_with_logits(output, x, reduction="none").sum(-1)
        if kind == "continuous-bernoulli":
            return -D.ContinuousBernoulli(logits=output).log_prob(x).sum(-1)
        if kind == "gaussian":
            return -D.Normal(output, settings["sigma"]).log_prob(x).sum(-1)
        if kind == "laplace":
            return -D.Laplace(output, settings["scale"]).log_prob(x).sum(-1)
        if kind == "gaussian-shared":
            sigma = torch.exp(self.likelihood.log_sigma)
            if is_training and settings.get("variance") == "optimal":
                sigma = (x - output).pow(2).mean().sqrt()
            return -D.Normal(output, sigma).log_prob(x).sum(-1)
        if kind == "gaussian-spectral":
            ring = rings(self.image)
            variance = torch.exp(2 * self.likelihood.log_sigma[0])
            if is_training:
                power = torch.fft.fft2((x - output).view(-1, *self.image), norm="ortho").abs().pow(2).detach()
                variance = torch.stack([power[..., ring == r].mean() for r in range(len(variance))])
                assert (variance > settings["floor"] ** 2).all(), "the floor binds"
            covariance = stationary(variance[ring], self.image)
            return -D.MultivariateNormal(output, covariance).log_prob(x)
        if kind == "gaussian-per-pixel":
            mean, raw = output.chunk(2, -1)
            return -D.Normal(mean, settings["floor"] + F.softplus(raw)).log_prob(x).sum(-1)
        return -pixel_cnn_pp(2 * x - 1, 2 * output - 1, self.likelihood.log_scale + math.log(2)).sum(-1)

    def sample(self, q, noise, temperature):
        """z as [samples, images, D]; without a temperature bits are hard."""
        if self.latent_kind == "bernoulli":
            if temperature is None:
                return (noise > 1 - q.base_dist.probs).double()
            with mock.patch("torch.rand", return_value=noise):
                return D.RelaxedBernoulli(torch.tensor(temperature).double(), logits=q.base_dist.logits).rsample(
                    noise.shape[:1]
                )
        with mock.patch("torch.distributions.normal._standard_normal", return_value=noise):
            return q.rsample(noise.shape[:1])

    def kl(self, q, z):
        p = self.p_z()
        if isinstance(p, (D.MixtureSameFamily, Flow)):
            return (q.log_prob(z) - p.log_prob(z)).mean(0)
        return D.kl_divergence(q, p.expand(q.batch_shape))

    def train_terms(self, x, noise) -> dict:
        if self.is_autoencoder:
            z = self.latent(self.features(x)).unsqueeze(0) + self.latent_noise * noise
            reconstruction = self.reconstruction(z, x, True)[0]
            return {"reconstruction": reconstruction, "kl": None, "objective": reconstruction}
        temperature = self.latent_settings.get("temperature")
        if self.latent_settings.get("anneal_epochs"):
            ratio = self.latent_settings["final_temperature"] / temperature
            temperature *= ratio ** (PROGRESS / self.latent_settings["anneal_epochs"])
        q = self.posterior(x)
        z = self.sample(q, noise, temperature)
        if self.gradient:
            z = z.detach()
        reconstruction = self.reconstruction(z, x, True)
        objective = getattr(self, self.objective_kind.replace("-", "_"))
        kl = self.kl(q, z)
        return {
            # Of relaxed bits it is no expectation under q, and with the KL of bits no bound.
            "reconstruction": None if temperature else reconstruction.mean(0),
            "kl": kl,
            "objective": objective(q, z, reconstruction, kl, **self.objective_settings),
        }

    def elbo(self, q, z, reconstruction, kl):
        if self.kl_parts != "both":
            mean, variance = q.base_dist.loc, q.base_dist.scale.pow(2)
            parts = {"mean": 0.5 * mean.pow(2), "variance": 0.5 * (variance - 1 - variance.log())}
            assert torch.allclose(sum(parts.values()).sum(-1), kl), "the parts are not the whole"
            kl = parts[self.kl_parts].sum(-1)
        objective = reconstruction.mean(0) + BETA * kl
        if self.gradient == "score-function":
            carrier = (reconstruction.detach() * q.log_prob(z)).mean(0)
            objective = objective + carrier - carrier.detach()
        return objective

    def free_bits(self, q, z, reconstruction, kl, nats):
        per_dim = D.kl_divergence(q.base_dist, D.Normal(0.0, 1.0)).mean(0)
        assert (per_dim < nats).any() and (per_dim > nats).any()
        return reconstruction[0] + BETA * torch.maximum(per_dim, torch.tensor(nats)).sum()

    def capacity(self, q, z, reconstruction, kl, nats, rise_epochs):
        # As in google-research/disentanglement_lib, `AnnealedVAE`: the KL is a mean over the batch.
        difference = kl - nats * PROGRESS / rise_epochs
        assert (difference > 0).any() and (difference < 0).any(), "the mean does not show"
        return reconstruction[0] + BETA * difference.mean().abs()

    def importance_weighted(self, q, z, reconstruction, kl, samples, gradient="reparametrised"):
        if gradient == "doubly-reparametrised":
            # As Tucker et al. do it: log q with constant parameters, and a further weight on the gradient by z, which for
            # weights p(x|z) (p(z)/q(z|x))^beta is 1 - beta + beta * share.
            q = D.Independent(D.Normal(q.base_dist.loc.detach(), q.base_dist.scale.detach()), 1)
        log_w = -reconstruction - BETA * (q.log_prob(z) - self.p_z().log_prob(z))
        bound = torch.logsumexp(log_w, 0) - math.log(samples)
        if gradient == "doubly-reparametrised":
            with torch.no_grad():
                share = torch.softmax(log_w, 0)
            assert share.max() < 0.95, "one sample outweighs the others, and squares would not show"
            if z.requires_grad:
                z.register_hook(lambda slope: slope * (1 - BETA + BETA * share).unsqueeze(-1))
            carrier = (share * log_w).sum(0)
            bound = bound.detach() + carrier - carrier.detach()
        return -bound

    def total_correlation(self, q, z, reconstruction, kl):
        # As in the authors' code, rtqichen/beta-tcvae, without stratified sampling.
        z = z[0]
        logpz = self.p_z().log_prob(z)
        logqz_condx = q.log_prob(z)
        _logqz = D.Normal(q.base_dist.loc.view(1, BATCH, LATENT), q.base_dist.scale.view(1, BATCH, LATENT)).log_prob(
            z.view(BATCH, 1, LATENT)
        )
        logqz_prodmarginals = (torch.logsumexp(_logqz, 1) - math.log(BATCH * N_TRAIN)).sum(1)
        logqz = torch.logsumexp(_logqz.sum(2), 1) - math.log(BATCH * N_TRAIN)
        modified_elbo = (
            -reconstruction[0]
            - (logqz_condx - logqz)
            - BETA * (logqz - logqz_prodmarginals)
            - (logqz_prodmarginals - logpz)
        )
        return -modified_elbo

    def evaluation(self, x, noise, noises) -> dict:
        """The terms of one hard sample, and log p(x, z)/q(z|x) of several."""
        if self.is_autoencoder:
            terms = self.train_terms(x, torch.zeros_like(noise))
            return {"reconstruction": terms["reconstruction"], "kl": None, "log_weights": None}
        q = self.posterior(x)
        z, zs = self.sample(q, noise if self.n_draws == 1 else noises, None), self.sample(q, noises, None)
        log_p = -self.reconstruction(zs, x, False) + self.p_z().log_prob(zs)
        return {
            "reconstruction": self.reconstruction(z, x, False).mean(0),
            "kl": self.kl(q, z),
            "log_weights": log_p - q.log_prob(zs),
        }


def pixel_cnn_pp(x, mean, log_scale):
    """Discretised logistic for x in -1…1, as in openai/pixel-cnn's `discretized_mix_logistic_loss`, one component."""
    centered_x = x - mean
    inv_stdv = torch.exp(-log_scale)
    plus_in = inv_stdv * (centered_x + 1.0 / 255.0)
    min_in = inv_stdv * (centered_x - 1.0 / 255.0)
    cdf_delta = torch.sigmoid(plus_in) - torch.sigmoid(min_in)
    log_cdf_plus = plus_in - F.softplus(plus_in)
    log_one_minus_cdf_min = -F.softplus(min_in)
    assert (cdf_delta > 1e-9).all(), "the approximation for vanishing bins is not to be needed"
    return torch.where(x < -0.999, log_cdf_plus, torch.where(x > 0.999, log_one_minus_cdf_min, torch.log(cdf_delta)))


def imq_mmd(sample_qz, sample_pz):
    """`mmd_penalty` of tolstikhin/wae with the kernel IMQ and pz normal, sigma2_p = 1."""
    n, zdim = sample_qz.shape
    distances = lambda a, b: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").pow(2)
    off_diagonal = 1 - torch.eye(n, dtype=torch.double)
    stat = 0.0
    for scale in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]:
        c = 2 * zdim * scale
        res1 = c / (c + distances(sample_qz, sample_qz)) + c / (c + distances(sample_pz, sample_pz))
        res2 = (c / (c + distances(sample_qz, sample_pz))).sum() * 2.0 / (n * n)
        stat = stat + (res1 * off_diagonal).sum() / (n * n - n) - res2
    return stat


def cases() -> list[tuple]:
    conv = {"conv": {"channels": [3, 4], "kernel": 3, "stride": 2}}
    importance = {"importance-weighted": {"samples": SAMPLES}}
    doubly = {"importance-weighted": {"samples": SAMPLES, "gradient": "doubly-reparametrised"}}
    bits = {"bernoulli": {"temperature": 1.0, "final_temperature": 0.5, "anneal_epochs": 10}}
    mixture, vamp = {"mixture": {"components": 4}}, {"vamp": {"components": 4}}
    return [
        ("relu", {}, {}, GRAY),
        ("tanh", {"activation": "tanh"}, {}, GRAY),
        ("softplus", {"activation": "softplus"}, {}, GRAY),
        ("gated, two hidden layers", {"activation": "gated", "hidden": [12, 5]}, {}, GRAY),
        ("autoencoder", {"kind": "autoencoder"}, {}, GRAY),
        ("linear autoencoder", {"kind": "autoencoder", "hidden": [], "likelihood": {"gaussian": {"sigma": 1.0}}}, {}, GRAY),
        ("conv", {"net": conv}, {}, GRAY),
        ("conv, colour, gated", {"net": conv, "activation": "gated"}, {}, COLOUR),
        ("conv, stride 3", {"net": {"conv": {"channels": [2], "kernel": 5, "stride": 3}}, "hidden": []}, {}, COLOUR),
        ("conv, even kernel", {"net": {"conv": {"channels": [3], "kernel": 4, "stride": 2}}}, {}, EVEN),
        ("continuous-bernoulli", {"likelihood": {"continuous-bernoulli": {}}}, {}, GRAY),
        ("gaussian", {"likelihood": {"gaussian": {"sigma": 0.3}}}, {}, GRAY),
        ("laplace", {"likelihood": {"laplace": {"scale": 0.2}}}, {}, GRAY),
        ("gaussian-shared", {"likelihood": {"gaussian-shared": {}}}, {}, GRAY),
        ("gaussian-shared, optimal", {"likelihood": {"gaussian-shared": {"variance": "optimal"}}}, {}, GRAY),
        ("gaussian-per-pixel", {"likelihood": {"gaussian-per-pixel": {"floor": 0.05}}}, {}, GRAY),
        ("gaussian-per-pixel, conv", {"likelihood": {"gaussian-per-pixel": {"floor": 0.05}}, "net": conv}, {}, COLOUR),
        ("gaussian-spectral", {"likelihood": {"gaussian-spectral": {"floor": 0.01}}}, {}, GRAY),
        ("gaussian-spectral, conv", {"likelihood": {"gaussian-spectral": {"floor": 0.01}}, "net": conv}, {}, COLOUR),
        ("discretised-logistic", {"likelihood": "discretised-logistic"}, {}, GRAY),
        ("bits", {"latent": bits}, {}, GRAY),
        ("mixture prior", {"prior": mixture}, {}, GRAY),
        ("vamp prior", {"prior": vamp}, {}, GRAY),
        ("flow prior", {"prior": {"flow": {"couplings": 3, "hidden": 5}}}, {}, GRAY),
        ("free bits", {}, {"kind": {"free-bits": {"nats": 0.5}}}, GRAY),
        ("capacity", {}, {"kind": {"capacity": {"nats": 12.0, "rise_epochs": 10}}}, GRAY),
        ("importance-weighted", {}, {"kind": importance}, GRAY),
        ("importance-weighted, vamp prior", {"prior": vamp}, {"kind": importance}, GRAY),
        ("doubly reparametrised", {}, {"kind": doubly}, GRAY),
        ("doubly reparametrised, mixture prior", {"prior": mixture}, {"kind": doubly}, GRAY),
        ("total correlation", {}, {"kind": "total-correlation"}, GRAY),
        ("autoencoder, noise on the code", {"kind": "autoencoder", "latent_noise": 0.3}, {}, GRAY),
        ("several draws", {}, {"samples": SAMPLES}, GRAY),
        ("several draws, mixture prior", {"prior": mixture}, {"samples": SAMPLES}, GRAY),
        ("detached", {}, {"gradient": "detached"}, GRAY),
        ("score function", {}, {"gradient": "score-function", "samples": SAMPLES}, GRAY),
        ("KL of means", {}, {"kl_parts": "mean"}, GRAY),
        ("KL of variances", {}, {"kl_parts": "variance"}, GRAY),
    ]


def formula_of(name: str, t: int, parameter: torch.Tensor) -> dict:
    """Offset, number, shape and bound of a parameter's values."""
    bound = {"prior.means": 1.5, "prior.log_variances": 0.5, "prior.logits": 1.0, "prior.pseudo_inputs": 0.6}
    offset = {"prior.log_variances": -0.5, "prior.pseudo_inputs": 0.5, "likelihood.log_sigma": -1.2}
    offset["likelihood.log_scale"] = -0.5
    fan = max(parameter[0].numel(), 1) ** -0.5 if parameter.dim() > 1 else 0.3
    # Logits of both signs and of some size, so that no nonlinearity is near its linear part.
    default = 0.1 if name.startswith("likelihood.") else 2.0 * fan
    bound, offset = bound.get(name, default), offset.get(name, 0.0)
    return {"name": name, "number": t, "shape": list(parameter.shape), "bound": bound, "offset": offset}


def images(image: tuple[int, int, int]) -> torch.Tensor:
    """8-bit gray levels, black and white among them, as float32 has them."""
    unit = values(100, (BATCH, math.prod(image)), 0.6).float() + 0.5
    return (torch.round(unit.clamp(0.0, 1.0) * 255.0) / 255.0).double()


def rounded(number):
    if isinstance(number, list):
        return [rounded(one) for one in number]
    if isinstance(number, dict):
        return {key: rounded(one) for key, one in number.items()}
    return float(f"{number:.9g}") if isinstance(number, float) else number


def listed(terms: dict) -> dict:
    return {name: None if term is None else term.tolist() for name, term in terms.items()}


def case(name: str, model_settings: dict, objective: dict, image: tuple[int, int, int]) -> dict:
    model = Model(model_settings, objective, image)
    formulas = [formula_of(name, t, own) for t, (name, own) in enumerate(model.named_parameters())]
    with torch.no_grad():
        for formula, parameter in zip(formulas, model.parameters()):
            offset = torch.tensor(formula["offset"], dtype=torch.float32).double()
            whole = values(formula["number"], tuple(parameter.shape), formula["bound"]) + offset
            parameter.copy_(whole.float().double())
    x = images(image)
    shift, bound = (0.5, 0.48) if model.latent_kind == "bernoulli" else (0.0, 2.0)
    if model.objective_kind == "importance-weighted":
        # Samples near each other, so that no weight outdoes all others.
        bound = 0.1
    # All images of the first sample come first.
    one = (values(200, (1, BATCH, LATENT), bound).float() + shift).double()
    several = (values(201, (SAMPLES, BATCH, LATENT), bound).float() + shift).double()
    evaluation = listed(model.evaluation(x, one, several))
    has_several = model.objective_kind == "importance-weighted" or model.n_draws > 1
    terms = model.train_terms(x, several if has_several else one)
    terms["objective"].mean().backward()
    return {
        "name": name,
        "model": {"hidden": [HIDDEN], "latent_dim": LATENT, **model_settings},
        "objective": objective if model.is_autoencoder else {"beta": BETA, **objective},
        "image": list(image),
        "weights": formulas,
        "noise": {"shift": shift, "bound": bound},
        "terms": listed(terms),
        "evaluation": evaluation,
        "gradients": {
            name: gradient_summary(own.grad, 6) for name, own in model.named_parameters() if own.requires_grad
        },
    }


def mmd() -> dict:
    z = values(300, (8, LATENT), 1.5).requires_grad_()
    penalty = imq_mmd(z, values(301, (8, LATENT), 2.0))
    penalty.backward()
    return {"value": penalty.item(), "gradient": z.grad.flatten().tolist()}


def dump() -> dict:
    return rounded(
        {
            "n_train": N_TRAIN,
            "progress": PROGRESS,
            "batch": BATCH,
            "samples": SAMPLES,
            "cases": [case(*one) for one in cases()],
            "mmd": mmd(),
        }
    )
