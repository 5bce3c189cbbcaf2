//! Networks, distributions, likelihoods and ELBO terms: pure tensor functions, nothing of files or processes.
//!
//! **The replica axis.** Every parameter and activation has a leading axis `R`: weights `[R, in, out]`, images
//! `[R, B, P]`, latents `[R, B, D]`. A single run is `R = 1`; a cohort of a sweep is one batched program. Replicas may
//! differ in latent width (padded to the widest and masked), β, learning rate, seed and likelihood scale. No operation
//! mixes replicas, so a replica's numbers are those it has alone, up to rounding.
//!
//! **Units.** Everything is in nats per image. Terms come back per image, `[R, B]`; who averages them says so.

pub mod family;
pub mod gan;
pub mod vae;
pub mod vae_gan;

pub mod objective;

pub mod bound;
pub mod kl;
pub mod likelihood;
pub mod posterior;
pub mod prior;

pub mod bounds;
pub mod corruption;
pub mod discriminator;
pub mod encoder;
mod fused;
pub mod interpolation;
pub mod layers;
pub mod mask;
pub mod mixture;
mod nearby;
pub mod nets;
pub mod noise;
pub mod parameters;
pub mod quadrature;

pub use family::{Density, Encode, Family, Generator, Loss, Step, StepContext, Terms};
pub use gan::Gan;
pub use parameters::{ModelError, Parameters};
pub use posterior::{DiagonalGaussian, Posterior};
pub use spec::ImageShape;
pub use vae::Vae;
pub use vae_gan::VaeGan;

/// A freshly initialised model of the cells' family, for the families that are trained by gradients.
///
/// `None` without a cell, and for a family that is not. Errors when the convolutions are more than the image allows.
pub fn build(
    cells: &[&spec::Cell],
    image: ImageShape,
    device: tch::Device,
) -> Result<Option<Box<dyn Family>>, spec::TooDeep> {
    let Some(first) = cells.first() else { return Ok(None) };
    Ok(match first.model.kind {
        spec::ModelKind::Vae | spec::ModelKind::Autoencoder => {
            Vae::new(cells, image, device)?.map(|vae| Box::new(vae) as Box<dyn Family>)
        }
        spec::ModelKind::Gan { .. } => Gan::new(cells, image, device)?.map(|gan| Box::new(gan) as Box<dyn Family>),
        spec::ModelKind::VaeGan { .. } => {
            VaeGan::new(cells, image, device)?.map(|vae_gan| Box::new(vae_gan) as Box<dyn Family>)
        }
        spec::ModelKind::GaussianMixture { .. } => None,
    })
}
