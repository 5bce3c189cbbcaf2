//! What models are, in words: families, images, networks, distributions, objective and optimizer of a cell.

use spec::layout::{Chain, HeadedChain, Layer, Map, Width};
use spec::{
    Activation, Adam, Cell, Corruption, Gradient, ImageShape, KlParts, Latent, Likelihood, Model, ModelKind,
    ObjectiveKind, Optimizer, Pixels, Precision, Prior, Schedule, SharedVariance, thousands,
};

use crate::axis::number;
use crate::setting::words;

/// The families of some cells: `VAE`, `Gaussian mixture`.
pub fn kinds(cells: &[Cell]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for cell in cells {
        let kind = match cell.model.kind {
            ModelKind::Vae => "VAE",
            ModelKind::Autoencoder => "autoencoder",
            ModelKind::GaussianMixture { .. } => "Gaussian mixture",
            ModelKind::Gan { .. } => "GAN",
            ModelKind::VaeGan { .. } => "VAE-GAN",
        };
        if !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

/// `glyphs, 60,000 training and 10,000 test images of 28×28 pixels, gray values`
pub fn images(cell: &Cell, shape: Option<ImageShape>) -> String {
    let dataset = &cell.dataset;
    let mut said = vec![match dataset.name.known() {
        Some(known) => format!(
            "{}, {} training and {} test images",
            known.name,
            thousands(dataset.train_images.unwrap_or(known.n_train) as u64),
            thousands(dataset.test_images.unwrap_or(known.n_test) as u64)
        ),
        None => dataset.name.readable_name(),
    }];
    if let Some(ImageShape { channels, height, width }) = shape {
        let of = if said[0].ends_with("images") { " of " } else { ", images of " };
        let colour = if channels > 1 { " in colour" } else { "" };
        said[0].push_str(&format!("{of}{height}×{width} pixels{colour}"));
    }
    if dataset.validation > 0 {
        said.push(format!("{} of the training images held out for validation", thousands(dataset.validation as u64)));
    }
    said.push(
        match dataset.pixels {
            Pixels::Gray => "values in 0…1 as they are",
            Pixels::Binary => "pixels of 0 and 1 as they are",
            Pixels::Static => "each pixel drawn once as 0 or 1 from its gray value",
            Pixels::Dynamic => "each training pixel drawn anew every epoch as 0 or 1 from its gray value",
        }
        .to_owned(),
    );
    said.join("; ")
}

/// `encoder 784 → 400 → mean and log variance of D, decoder D → 400 → 784; relu; 652,824 weights and biases`
///
/// `shape` is that of the images, where it is known; the latent width is `D` where it `varies`.
pub fn architecture(cell: &Cell, shape: Option<ImageShape>, varies: bool) -> String {
    let model = &cell.model;
    let d = if varies { "D".to_owned() } else { model.latent_dim.to_string() };
    if let ModelKind::GaussianMixture { components, floor } = model.kind {
        return format!("{components} Gaussians over pixels, standard deviations of {} at least", number(floor));
    }
    let Some(layout) = shape.and_then(|shape| model.layout(shape).ok()) else {
        return format!("hidden layers {}, latent width {d}", words(&model.hidden.clone().into()));
    };
    let mut said = Vec::new();
    if let Some(encoder) = &layout.encoder {
        let heads: Vec<String> = encoder.heads.iter().map(|head| head.replace('_', " ")).collect();
        let made = match model.kind {
            ModelKind::Autoencoder => "z".to_owned(),
            _ => format!("{} of z", spec::listed(&heads, "and")),
        };
        said.push(format!("encoder {} → {made} ({d})", chain(&encoder.trunk, &d)));
    }
    if let Some(decoder) = &layout.decoder {
        let name = if matches!(model.kind, ModelKind::Gan { .. }) { "generator" } else { "decoder" };
        said.push(format!("{name} {}", chain(decoder, &d)));
    }
    if let Some(discriminator) = &layout.discriminator {
        said.push(format!("discriminator {} → 1", chain(&discriminator.trunk, &d)));
    }
    said.push(
        match model.activation {
            Activation::Relu => "ReLU",
            Activation::Tanh => "tanh",
            Activation::Softplus => "softplus",
            Activation::Gated => "gated: h(x)·sigmoid(g(x))",
        }
        .to_owned(),
    );
    if !varies {
        let headed = |net: &HeadedChain| {
            let inputs = net.trunk.outputs.of(model.latent_dim);
            count(&net.trunk, model) + net.heads.len() * (inputs + 1) * net.outputs.of(model.latent_dim)
        };
        let n = layout.encoder.as_ref().map_or(0, headed)
            + layout.decoder.as_ref().map_or(0, |net| count(net, model))
            + layout.discriminator.as_ref().map_or(0, headed);
        said.push(format!("{} weights and biases", thousands(n as u64)));
    }
    said.join("; ")
}

/// `784 → 400`, `28×28 → 32×14×14 (3×3, stride 2)`
fn chain(net: &Chain, d: &str) -> String {
    let width = |width: Width| match width {
        Width::Fixed(n) => n.to_string(),
        Width::Latent => d.to_owned(),
    };
    let mut said = vec![width(net.inputs)];
    for layer in &net.layers {
        let (Layer::Hidden(map) | Layer::Output(map)) = layer else { continue };
        said.push(match map {
            Map::Linear { outputs, .. } => width(*outputs),
            Map::Convolution(shape) => {
                let (height, across) = shape.target;
                let kernel = shape.kernel;
                format!("{}×{height}×{across} ({kernel}×{kernel}, stride {})", shape.outputs, shape.stride)
            }
        });
    }
    said.join(" → ")
}

fn count(net: &Chain, model: &Model) -> usize {
    let of = |layer: &Layer| match layer {
        Layer::Hidden(map) => model.maps_per_hidden_layer() * map.n_parameters(model.latent_dim),
        Layer::Output(map) => map.n_parameters(model.latent_dim),
        Layer::Reshape { .. } => 0,
    };
    net.layers.iter().map(of).sum()
}

/// p(x|z), with the scale that its numbers are on.
pub fn likelihood(cell: &Cell) -> String {
    let scale = cell.scale();
    let said = match cell.model.likelihood {
        Likelihood::Bernoulli => match cell.dataset.pixels {
            Pixels::Gray => "cross-entropy on gray values (a Bernoulli read as one)".to_owned(),
            Pixels::Binary | Pixels::Static | Pixels::Dynamic => "Bernoulli".to_owned(),
        },
        Likelihood::ContinuousBernoulli { clip: 0.0 } => "continuous Bernoulli without a clip of λ".to_owned(),
        Likelihood::ContinuousBernoulli { clip } => {
            format!("continuous Bernoulli with λ in {clip} … 1 − {clip}", clip = number(clip))
        }
        Likelihood::Gaussian { sigma } => format!("Gaussian with σ = {}", number(sigma)),
        Likelihood::Laplace { scale } => format!("Laplace with scale {}", number(scale)),
        Likelihood::GaussianShared { variance: SharedVariance::Learned } => "Gaussian with one learned σ".to_owned(),
        Likelihood::GaussianShared { variance: SharedVariance::Optimal } => {
            "Gaussian with one σ, the root of each batch’s mean squared error".to_owned()
        }
        Likelihood::GaussianPerPixel { floor } => {
            format!("Gaussian with a σ for every pixel, {} at least", number(floor))
        }
        Likelihood::GaussianSpectral { floor } => {
            format!(
                "Gaussian with stationary noise: a σ for every ring of spatial frequencies, {} at least",
                number(floor)
            )
        }
        Likelihood::DiscretisedLogistic => "discretised logistic over 256 gray levels".to_owned(),
    };
    format!("{said}; scale {scale}")
}

/// What is minimised; β is left open where it `varies`.
pub fn objective(cell: &Cell, varies: bool) -> String {
    let beta = if varies { "swept".to_owned() } else { format!("= {}", number(cell.objective.beta)) };
    let said = match cell.objective.kind {
        ObjectiveKind::Elbo => format!("reconstruction + β·{}, β {beta}{}", kl_parts(cell), estimator(cell)),
        ObjectiveKind::FreeBits { nats } => {
            format!("reconstruction + β·Σ max({}, KL of a dimension), β {beta}", number(nats))
        }
        ObjectiveKind::Capacity { nats, rise_epochs } => {
            let c = number(nats);
            format!("reconstruction + β·|KL − C|, β {beta}, C rising to {c} over {rise_epochs} epochs")
        }
        ObjectiveKind::ImportanceWeighted { samples, .. } => {
            format!("minus the importance-weighted bound of {samples} samples, β {beta}")
        }
        ObjectiveKind::TotalCorrelation => {
            format!("reconstruction + mutual information + β·total correlation + KL of each dimension, β {beta}")
        }
        ObjectiveKind::Mmd { weight } => format!("reconstruction + β·KL + {}·MMD, β {beta}", number(weight)),
    };
    let warm_up = match (cell.objective.warm_up_epochs, cell.objective.cycles) {
        (0, _) => String::new(),
        (epochs, 1) => format!("; β rises over {epochs} epochs"),
        (epochs, cycles) => format!("; β rises over {epochs} epochs in each of {cycles} cycles"),
    };
    format!("{said}{warm_up}")
}

/// The parts of the KL that are minimised.
fn kl_parts(cell: &Cell) -> &'static str {
    match cell.objective.kl_parts {
        KlParts::Both => "KL",
        KlParts::Variance => "Σ ½(σ² − 1 − ln σ²), the KL’s half of the variances",
        KlParts::Mean => "Σ ½μ², the KL’s half of the means",
    }
}

/// How the ELBO’s gradient is estimated, where that is not by one reparametrised draw.
fn estimator(cell: &Cell) -> String {
    let draws = match cell.objective.samples {
        1 => String::new(),
        n => format!("; a mean over {n} draws of z"),
    };
    let gradient = match cell.objective.gradient {
        Gradient::Reparametrised => "",
        Gradient::Detached => "; z is a constant to the encoder’s gradient",
        Gradient::ScoreFunction => "; the encoder’s gradient by the score function, without a baseline",
    };
    format!("{draws}{gradient}")
}

/// Noise on an autoencoder’s code.
pub fn latent_noise(cell: &Cell) -> String {
    format!("normal on the code while training, σ = {}", number(cell.model.latent_noise))
}

/// q(z|x).
pub fn latent(cell: &Cell) -> String {
    match cell.model.latent {
        Latent::Gaussian => "Gaussian with a diagonal covariance".to_owned(),
        Latent::Bernoulli { temperature, final_temperature, anneal_epochs } => {
            let [from, to] = [temperature, final_temperature].map(number);
            format!("bits, relaxed while training (temperature {from} to {to} over {anneal_epochs} epochs)")
        }
    }
}

/// What is done to the encoder's input while training.
pub fn corruption(cell: &Cell) -> String {
    match cell.model.corruption {
        Corruption::None => "none".to_owned(),
        Corruption::Gaussian { sigma } => format!("Gaussian noise with σ = {}", number(sigma)),
        Corruption::Masking { fraction } => format!("a share of {} of the pixels set to 0", number(fraction)),
        Corruption::SaltAndPepper { fraction } => {
            format!("a share of {} of the pixels set to 0 or 1", number(fraction))
        }
    }
}

/// p(z).
pub fn prior(cell: &Cell) -> String {
    match cell.model.prior {
        Prior::Standard => match cell.model.latent {
            Latent::Gaussian => "N(0, I)".to_owned(),
            Latent::Bernoulli { .. } => "fair bits".to_owned(),
        },
        Prior::Mixture { components } => format!("mixture of {components} Gaussians"),
        Prior::Vamp { components } => format!("VampPrior with {components} pseudo-inputs"),
        Prior::Flow { couplings, hidden } => format!("flow of {couplings} affine couplings of width {hidden}"),
    }
}

/// `Adam at 0.001 (β₁ 0.9, β₂ 0.999, ε 1e−8)`
pub fn optimizer(cell: &Cell) -> String {
    let Optimizer::Adam(Adam { learning_rate, beta1, beta2, epsilon, schedule }) = &cell.optimizer;
    let [rate, one, two, epsilon] = [*learning_rate, *beta1, *beta2, *epsilon].map(number);
    let schedule = match schedule {
        Schedule::Constant => String::new(),
        Schedule::Steps { after, factor } => {
            let after: Vec<String> = after.iter().map(usize::to_string).collect();
            format!(", times {} after epochs {}", number(*factor), spec::listed(&after, "and"))
        }
        Schedule::Cosine => ", falling along half a cosine".to_owned(),
        Schedule::Burda => ", in stages of 3ⁱ epochs at 10^(−i/7) of it".to_owned(),
    };
    format!("Adam at {rate}{schedule} (β₁ {one}, β₂ {two}, ε {epsilon})")
}

/// `20 epochs in batches of 128, single precision`
pub fn training(cell: &Cell) -> String {
    let precision = match cell.training.precision {
        Precision::F32 => "single precision",
    };
    format!("{} epochs in batches of {}, {precision}", cell.training.epochs, cell.training.batch_size)
}
