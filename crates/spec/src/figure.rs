//! The figures a spec can ask for.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

use crate::cell::Cell;
use crate::claim::Claim;
use crate::corruption::Corruption;
use crate::kind::ModelKind;

/// A figure of the paper.
#[derive(
    Clone,
    Copy,
    Debug,
    Display,
    IntoStaticStr,
    VariantArray,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FigureKind {
    /// The effects that the experiment's claims are judged by, with their intervals.
    Claims,
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
    /// Linear VAEs beside what theory says of their optimum.
    ClosedForm,
    /// What reconstructions keep of images at each spatial frequency.
    Spectra,
    /// Explained power of bands of spatial frequency against KL, over β.
    ExplainedPower,
    /// The same test images as reconstructed by each model, with their equivalent blur.
    BlurGrid,
    /// Equivalent blur, PSNR and SSIM over the latent width.
    BlurByLatentDim,
}

impl FigureKind {
    /// All figures, in the order they are drawn.
    pub const ALL: &[FigureKind] = FigureKind::VARIANTS;

    /// The name in specs and of files, such as `loss-curves`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it shows numbers in nats, which are kept apart by scale; the others show images, or what is measured in images
    /// and latents, of models of any likelihood.
    pub fn is_in_nats(self) -> bool {
        match self {
            FigureKind::LossCurves
            | FigureKind::ElboByLatentDim
            | FigureKind::KlPerDim
            | FigureKind::RateDistortion
            | FigureKind::ClosedForm
            | FigureKind::ExplainedPower => true,
            FigureKind::Reconstructions
            | FigureKind::Samples
            | FigureKind::Manifold
            | FigureKind::LatentScatter
            | FigureKind::SampleSources
            | FigureKind::Interpolations
            | FigureKind::Denoising
            | FigureKind::Sharpness
            | FigureKind::Spectra
            | FigureKind::BlurGrid
            | FigureKind::BlurByLatentDim
            | FigureKind::Claims => false,
        }
    }

    /// Whether the figure shows something for these cells: a manifold needs a latent space of two dimensions, a scatter at
    /// least two, a figure over a quantity at least two values of it, reconstructions and latents an encoder, terms of
    /// the bound a model that has them, denoising one that is trained on corrupted images, the closed form a model whose optimum has one, the figure of claims a claim. What is shown of sources,
    /// interpolations, sharpness and spectra is what else one may want to see of a trained model: these are drawn where a spec
    /// names them.
    ///
    /// A spec without `figures` has all that fit; one that names a figure gets what can be drawn of it.
    pub fn fits(self, cells: &[Cell], claims: &[Claim]) -> bool {
        let with = |has: fn(ModelKind) -> bool| cells.iter().filter(move |cell| has(cell.model.kind));
        // Two of them that differ in what `of` says.
        fn differ<'a, T: PartialEq>(mut cells: impl Iterator<Item = &'a Cell>, of: impl Fn(&Cell) -> T) -> bool {
            cells.next().is_some_and(|first| cells.any(|cell| of(cell) != of(first)))
        }
        match self {
            FigureKind::Claims => !claims.is_empty(),
            FigureKind::LossCurves | FigureKind::Samples => true,
            FigureKind::Reconstructions => with(has_encoder).next().is_some(),
            FigureKind::KlPerDim => with(has_kl).next().is_some(),
            FigureKind::Manifold => with(has_decoder).any(|cell| cell.model.latent_dim == 2),
            FigureKind::LatentScatter => with(has_encoder).any(|cell| cell.model.latent_dim >= 2),
            FigureKind::ElboByLatentDim => differ(with(has_encoder), |cell| cell.model.latent_dim),
            FigureKind::BlurByLatentDim => differ(with(has_decoder), |cell| cell.model.latent_dim),
            FigureKind::RateDistortion => differ(with(has_kl), |cell| cell.objective.beta),
            FigureKind::Denoising => with(has_encoder).any(|cell| cell.model.corruption != Corruption::None),
            FigureKind::ClosedForm => cells.iter().any(|cell| cell.closed_form_variance().is_some()),
            FigureKind::SampleSources
            | FigureKind::Interpolations
            | FigureKind::Sharpness
            | FigureKind::Spectra
            | FigureKind::ExplainedPower
            | FigureKind::BlurGrid => false,
        }
    }
}

/// Whether there are latents of an image, and so reconstructions.
fn has_encoder(kind: ModelKind) -> bool {
    matches!(kind, ModelKind::Vae | ModelKind::Autoencoder | ModelKind::VaeGan { .. })
}

/// Whether an image is made from a latent of any value.
fn has_decoder(kind: ModelKind) -> bool {
    has_encoder(kind) || matches!(kind, ModelKind::Gan { .. })
}

/// Whether there is a KL from the prior, and so a bound.
fn has_kl(kind: ModelKind) -> bool {
    matches!(kind, ModelKind::Vae | ModelKind::VaeGan { .. })
}
