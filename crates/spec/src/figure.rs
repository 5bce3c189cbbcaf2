//! The figures a spec can ask for.

use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// A figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// ELBO terms over epochs.
    LossCurves,
    /// Test images beside their reconstructions.
    Reconstructions,
    /// Images decoded from the prior.
    Samples,
    /// Images decoded from a grid over a two-dimensional latent space.
    Manifold,
    /// Latent means of test images, by label.
    LatentScatter,
    /// ELBO over the latent width.
    ElboByLatentDim,
    /// KL of every latent dimension.
    KlPerDim,
    /// Reconstruction term against KL, over β.
    RateDistortion,
    /// Images decoded from the prior, the aggregate posterior and a mixture fitted to the latents.
    SampleSources,
    /// Images decoded along lines and arcs between latents.
    Interpolations,
    /// Test images, corrupted, and denoised.
    Denoising,
    /// Sharpness of reconstructions and samples beside the data's.
    Sharpness,
}

impl FigureKind {
    /// All figures, in the order they are drawn.
    pub const ALL: [FigureKind; 12] = [
        FigureKind::LossCurves,
        FigureKind::Reconstructions,
        FigureKind::Samples,
        FigureKind::Manifold,
        FigureKind::LatentScatter,
        FigureKind::ElboByLatentDim,
        FigureKind::KlPerDim,
        FigureKind::RateDistortion,
        FigureKind::SampleSources,
        FigureKind::Interpolations,
        FigureKind::Denoising,
        FigureKind::Sharpness,
    ];

    /// The name in specs and of files, such as `loss-curves`.
    pub fn name(self) -> &'static str {
        match self {
            FigureKind::LossCurves => "loss-curves",
            FigureKind::Reconstructions => "reconstructions",
            FigureKind::Samples => "samples",
            FigureKind::Manifold => "manifold",
            FigureKind::LatentScatter => "latent-scatter",
            FigureKind::ElboByLatentDim => "elbo-by-latent-dim",
            FigureKind::KlPerDim => "kl-per-dim",
            FigureKind::RateDistortion => "rate-distortion",
            FigureKind::SampleSources => "sample-sources",
            FigureKind::Interpolations => "interpolations",
            FigureKind::Denoising => "denoising",
            FigureKind::Sharpness => "sharpness",
        }
    }

    /// Whether the figure shows something for these cells: a manifold needs a latent space of two dimensions, a scatter at
    /// least two, a figure over a quantity at least two values of it, denoising a model trained on corrupted images.
    /// What is shown of sources, interpolations and sharpness depends on what was measured, which cells do not say: these
    /// are drawn where a spec names them.
    ///
    /// A spec without `figures` has all that fit; one that names a figure gets what can be drawn of it.
    pub fn fits(self, cells: &[Cell]) -> bool {
        match self {
            FigureKind::LossCurves | FigureKind::Reconstructions | FigureKind::Samples | FigureKind::KlPerDim => true,
            FigureKind::Manifold => cells.iter().any(|cell| cell.model.latent_dim == 2),
            FigureKind::LatentScatter => cells.iter().any(|cell| cell.model.latent_dim >= 2),
            FigureKind::ElboByLatentDim => cells.iter().any(|cell| cell.model.latent_dim != cells[0].model.latent_dim),
            FigureKind::RateDistortion => cells.iter().any(|cell| cell.objective.beta != cells[0].objective.beta),
            FigureKind::Denoising => cells.iter().any(|cell| {
                cell.value_at("model.corruption")
                    .is_some_and(|corruption| !corruption.is_null() && corruption != "none")
            }),
            FigureKind::SampleSources | FigureKind::Interpolations | FigureKind::Sharpness => false,
        }
    }
}

impl std::fmt::Display for FigureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
