//! Ranges of a model's values.

use super::{Checks, MAX_HIDDEN_LAYERS, MAX_HIDDEN_WIDTH, MAX_LATENT_DIM, shown};
use crate::model::{Corruption, Latent, Likelihood, Model, ModelKind, Net, Prior, Regulariser};

/// Components of a mixture at most.
const MAX_COMPONENTS: usize = 10_000;
/// Channels of a convolution at most.
const MAX_CHANNELS: usize = 4096;
/// Convolutions at most.
const MAX_CONVOLUTIONS: usize = 16;

impl Checks {
    pub(super) fn model(&mut self, model: &Model) {
        self.kind(model.kind);
        self.net(&model.net);
        if model.hidden.len() > MAX_HIDDEN_LAYERS {
            let message = format!("`model.hidden` has {} layers, more than {MAX_HIDDEN_LAYERS}", model.hidden.len());
            self.complain("model.hidden", message, "give fewer widths");
        } else {
            for (n, width) in model.hidden.iter().enumerate() {
                self.within(&format!("model.hidden[{n}]"), *width, 1..=MAX_HIDDEN_WIDTH);
            }
        }
        if !matches!(model.kind, ModelKind::GaussianMixture { .. }) {
            self.within("model.latent_dim", model.latent_dim, 1..=MAX_LATENT_DIM);
        }
        self.latent(model.latent);
        match model.prior {
            Prior::Standard => {}
            Prior::Mixture { components } => {
                self.within("model.prior.mixture.components", components, 1..=MAX_COMPONENTS)
            }
            Prior::Vamp { components } => self.within("model.prior.vamp.components", components, 1..=MAX_COMPONENTS),
        }
        self.likelihood(model.likelihood);
        self.corruption(model.corruption);
    }

    fn kind(&mut self, kind: ModelKind) {
        let (name, regulariser) = match kind {
            ModelKind::Vae | ModelKind::Autoencoder => return,
            ModelKind::GaussianMixture { components, floor } => {
                self.within("model.kind.gaussian-mixture.components", components, 1..=MAX_COMPONENTS);
                self.deviation("model.kind.gaussian-mixture.floor", "floor", floor);
                return;
            }
            ModelKind::Gan { regulariser } => ("gan", regulariser),
            ModelKind::VaeGan { regulariser, weight } => {
                self.positive("model.kind.vae-gan.weight", weight, "1");
                ("vae-gan", regulariser)
            }
        };
        if let Regulariser::GradientPenalty { weight } = regulariser {
            self.positive(&format!("model.kind.{name}.regulariser.gradient-penalty.weight"), weight, "10");
        }
    }

    fn net(&mut self, net: &Net) {
        let Net::Conv { channels, kernel, stride } = net else { return };
        if channels.is_empty() || channels.len() > MAX_CONVOLUTIONS {
            let message = format!(
                "`model.net.conv.channels` must list from 1 to {MAX_CONVOLUTIONS} convolutions, found {}",
                channels.len()
            );
            self.complain(
                "model.net.conv.channels",
                message,
                "write a list such as `[32, 64, 128]`, or use `net: mlp`",
            );
        }
        for (n, channels) in channels.iter().enumerate().take(MAX_CONVOLUTIONS) {
            self.within(&format!("model.net.conv.channels[{n}]"), *channels, 1..=MAX_CHANNELS);
        }
        self.within("model.net.conv.kernel", *kernel, 1..=31);
        self.within("model.net.conv.stride", *stride, 1..=8);
        if stride > kernel {
            let message =
                format!("`stride` is `{stride}`, larger than the kernel of {kernel}: pixels would be skipped");
            self.complain("model.net.conv.stride", message, format!("write at most {kernel}, or widen the kernel"));
        }
    }

    fn latent(&mut self, latent: Latent) {
        let Latent::Bernoulli { temperature, final_temperature, .. } = latent else { return };
        for (name, value) in [("temperature", temperature), ("final_temperature", final_temperature)] {
            if !(0.01..=100.0).contains(&value) {
                let path = format!("model.latent.bernoulli.{name}");
                let message = format!("`{path}` must be from 0.01 to 100, found `{}`", shown(value));
                self.complain(&path, message, "write a temperature such as `0.5`");
            }
        }
    }

    fn likelihood(&mut self, likelihood: Likelihood) {
        let (path, what, value) = match likelihood {
            Likelihood::Gaussian { sigma } => ("gaussian.sigma", "sigma", sigma),
            Likelihood::GaussianPerPixel { floor } => ("gaussian-per-pixel.floor", "floor", floor),
            _ => return,
        };
        self.deviation(&format!("model.likelihood.{path}"), what, value);
    }

    fn deviation(&mut self, path: &str, what: &str, value: f64) {
        if !(1e-6..=1e6).contains(&value) {
            let message = format!(
                "`{what}` must be a finite standard deviation above 0 (from 1e-6 to 1e6), found `{}`",
                shown(value)
            );
            self.complain(path, message, "write a number such as `1` or `0.1`; pixels are in 0…1");
        }
    }

    fn corruption(&mut self, corruption: Corruption) {
        match corruption {
            Corruption::None => {}
            Corruption::Gaussian { sigma } => self.positive("model.corruption.gaussian.sigma", sigma, "0.5"),
            Corruption::Masking { fraction } => self.fraction("model.corruption.masking.fraction", fraction),
            Corruption::SaltAndPepper { fraction } => {
                self.fraction("model.corruption.salt-and-pepper.fraction", fraction)
            }
        }
    }

    fn fraction(&mut self, path: &str, value: f64) {
        if !(value > 0.0 && value < 1.0) {
            let message = format!("`{path}` must be above 0 and below 1, found `{}`", shown(value));
            self.complain(path, message, "write a probability such as `0.5`, or use `corruption: none`");
        }
    }
}
