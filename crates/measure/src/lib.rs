//! What is measured on images and latents: numbers from plain slices, one file a metric.
//!
//! Images are rows of `f32`, 1.0 for white, `[channels, height, width]` with the last axis fastest. A metric of one
//! image is a function of a slice ([`psnr`], [`Ssim`], [`mse`]); one of a set is a sum that is fed image by image ([`Fidelity`],
//! [`Transfer`], [`Contrast`]), so that a split is decoded once and never kept. Every number comes with its standard error over
//! images ([`Mean`]).

mod blur;
mod closed_form;
mod contrast;
mod error;
mod fidelity;
mod gray;
mod information;
mod mean;
mod mean_image;
mod spectrum;
mod ssim;
mod transfer;

pub use blur::{Blur, BlurScale};
pub use closed_form::ClosedForm;
pub use contrast::{Contrast, laplacian_variance};
pub use error::{mse, psnr};
pub use fidelity::Fidelity;
pub use information::{Bounds, Information, information};
pub use mean::{Mean, RatioSums, Sums};
pub use mean_image::mean_image;
pub use ssim::Ssim;
pub use transfer::{Curves, Transfer};
