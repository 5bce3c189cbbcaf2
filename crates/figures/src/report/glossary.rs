//! The words of the page, each explained where it is used.

use std::collections::BTreeSet;

use spec::{Metric, Scale};

use super::{Page, plain_table, xml};
use crate::records::Records;
use crate::table::Table;

/// The words that this page uses, with their meaning.
pub fn html(page: &Page<'_>, tables: &[Table]) -> String {
    let records = page.records;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut add = |word: &str, meaning: &str| rows.push((xml(word), xml(meaning)));
    add(
        "nats per image",
        "natural logarithms: 1 nat is 1.443 bits; each number is a mean over all images of its split",
    );
    add("n", "how many seeds a mean is over: runs that differ in nothing but the seed of weights, shuffling and noise");
    if records.groups.iter().any(|group| group.runs.len() > 1) {
        add(
            "±",
            "half the width of the 95 % confidence interval of the mean over seeds, by Student’s t with n − 1 degrees of freedom; \
             over images there is another error, which it does not hold",
        );
    }
    let cells = || records.groups.iter().map(|group| &group.cell);
    if cells().any(|cell| cell.has(crate::setting::LATENT_DIM)) {
        add("D", "width of the latent space: how many numbers (or bits) z has");
    }
    if cells().any(|cell| cell.has(crate::setting::BETA)) {
        add("β", "weight of the KL in what is minimised; it is no part of the ELBO");
    }
    for metric in used(records) {
        add(metric.about().title, meaning(metric));
    }
    for scale in tables.iter().filter_map(|table| table.scale).collect::<BTreeSet<Scale>>() {
        add(scale.as_str(), scale_meaning(scale));
    }
    plain_table(rows)
}

/// The metrics that some run has.
fn used(records: &Records) -> Vec<Metric> {
    let has = |metric: &Metric| {
        let of = |group: &crate::records::Group| {
            group.last(*metric).is_some() || group.measure(|measure| measure.metric == *metric).is_some()
        };
        records.groups.iter().any(of)
    };
    Metric::all().filter(has).collect()
}

/// What a metric says, and which of its values are the better ones.
fn meaning(metric: Metric) -> &'static str {
    match metric {
        Metric::Elbo => {
            "evidence lower bound on log p(x): −(reconstruction + KL), from one sample of z; larger is better, and log p(x) is no less"
        }
        Metric::Reconstruction => {
            "−log p(x|z), a mean over z from q(z|x): what the decoder loses of an image; smaller is better"
        }
        Metric::Kl => {
            "KL(q(z|x) ‖ p(z)): what the code tells of an image beyond the prior; traded against the reconstruction"
        }
        Metric::Objective => {
            "what is minimised: reconstruction + β·KL, another bound, or a GAN’s loss; it ranks nothing across β"
        }
        Metric::ActiveUnits => "latent dimensions in use: the variance of their mean E[z|x] over images is above 0.01",
        Metric::ImportanceBound => {
            "bound on log p(x) of several weighted samples of z; tighter the more samples it has (Burda et al. 2016)"
        }
        Metric::Discriminator => "loss of the discriminator; 1.39 (2·log 2) where it cannot tell images from samples",
        Metric::PosteriorSigma => "standard deviation of q(z|x), a mean over dimensions: 1 where the code says nothing",
        Metric::Nll => "−log p(x), by importance sampling or exact; smaller is better, and no larger than −ELBO",
        Metric::PseudoNll => {
            "−ln ∫ p(z) e^(−BCE) dz: what −log p(x) would be if a gray value had a probability under a Bernoulli decoder, which it has not; \
             smaller is better, and no larger than −ELBO, but it is no likelihood and compares with none"
        }
        Metric::EffectiveSamples => {
            "how many equally weighted samples an importance-sampled −log p(x) is worth; below 10 it hangs on a few and is too large"
        }
        Metric::NllQuadrature => {
            "−log p(x) as an integral over a grid of z, for two latent dimensions: exact where importance sampling is an estimate"
        }
        Metric::PseudoNllQuadrature => {
            "−ln ∫ p(z) e^(−BCE) dz as an integral over a grid of z, for two latent dimensions; it is no likelihood and compares with none"
        }
        Metric::GapQuadrature => {
            "KL(q(z|x) ‖ p(z|x)), what the ELBO lacks to the integral over z: 0 where the encoder has the exact posterior"
        }
        Metric::LatentLogDensity => {
            "log density of test images’ codes under Gaussians fitted to those of training images"
        }
        Metric::GrayBceFloor => {
            "the cross-entropy that a perfect reconstruction of gray values still has: their own entropy"
        }
        Metric::Sharpness => {
            "variance of the Laplacian of an image, white being 1: edges make it large, blur small, and noise large too; compare with \
             the data’s"
        }
        Metric::Psnr => {
            "peak signal-to-noise ratio of reconstructions: −10·log₁₀ of the mean squared error; larger is better"
        }
        Metric::Mse => "mean squared error of reconstructions over pixels, white being 1; smaller is better",
        Metric::Ssim => {
            "structural similarity of images and their reconstructions, in windows of 11 × 11 pixels (σ = 1.5): 1 is the same image"
        }
        Metric::EquivalentBlur => {
            "the Gaussian blur of the test images, σ in pixels, that makes them as sharp for their contrast as these images are; \
             absent where these are sharper than the test images themselves"
        }
        Metric::SharpnessRatio => {
            "sharpness for the contrast, Var(∇²x)/Var(x), over that of the test images: below 1 is blurred, above 1 has edges or \
             noise that the data lack"
        }
        Metric::ExplainedPower => {
            "share of the images’ power that the reconstruction returns, in waves below 0.09 (low), to 0.23 (middle) and above \
             (high) cycles per pixel: 1 − P of the residual/P of the data; larger is better"
        }
        Metric::Gain => "how much of a wave of the image its reconstruction has, by spatial frequency: 1 is all",
        Metric::PowerRatio => {
            "power of reconstructions over that of the images, by spatial frequency; invented edges count as well"
        }
        Metric::Coherence => {
            "how far a wave of the reconstruction follows from that of the image, by spatial frequency: 1 is entirely, 0 not at all"
        }
        Metric::KlVariance => {
            "the part of the KL that the posterior’s variances have: Σ ½(σ² − 1 − ln σ²), 0 where q(z|x) is as wide as the prior"
        }
        Metric::MutualInformation => {
            "how well a code tells which image it is of, I(x; z), between a lower bound, which is at most the logarithm of the number of \
             images, and an upper one; saturated where the KL is within 2 nats of that logarithm or above, so that neither says much"
        }
        Metric::MarginalKl => {
            "KL(q(z) ‖ p(z)) of the codes of all images together: what samples from the prior miss; with the mutual information it is the KL"
        }
        Metric::KlDimension => "KL of a latent dimension, the largest first",
        Metric::KlMean => {
            "the part of the KL that the posterior’s means have: Σ ½μ², 0 where they tell no images apart"
        }
    }
}

/// What numbers on a scale are; those of two scales cannot be compared.
fn scale_meaning(scale: Scale) -> &'static str {
    match scale {
        Scale::GrayBce => {
            "scale: cross-entropy on gray values; its floor is not zero but the images’ own entropy. Not comparable with other scales"
        }
        Scale::Bernoulli => "scale: −log probability of binary pixels. Not comparable with other scales",
        Scale::GrayLevels => "scale: −log probability of 256 gray levels. Not comparable with other scales",
        Scale::GaussianDensity => {
            "scale: −log of a density over gray values, which may be negative. Not comparable with other scales"
        }
    }
}
