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
    for scale in tables.iter().map(|table| table.scale).collect::<BTreeSet<Scale>>() {
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
        Metric::EffectiveSamples => {
            "how many equally weighted samples an importance-sampled −log p(x) is worth; below 10 it hangs on a few and is too large"
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
