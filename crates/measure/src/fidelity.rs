//! How near images are to what was made of them.

use spec::ImageShape;

use crate::error::{mse, psnr};
use crate::mean::{Mean, Sums};
use crate::ssim::Ssim;

/// Means over images of what compares an image with what was made of it.
#[derive(Clone, Debug)]
pub struct Fidelity {
    window: Option<Ssim>,
    mse: Sums,
    psnr: Sums,
    ssim: Sums,
}

impl Fidelity {
    /// For images of this shape.
    pub fn of(shape: ImageShape) -> Fidelity {
        Fidelity { window: Ssim::of(shape), mse: Sums::default(), psnr: Sums::default(), ssim: Sums::default() }
    }

    /// The same without [`Ssim`], which takes most of the time.
    pub fn without_ssim() -> Fidelity {
        Fidelity { window: None, mse: Sums::default(), psnr: Sums::default(), ssim: Sums::default() }
    }

    /// Adds an image and what was made of it, `[channels, height, width]` each.
    pub fn add(&mut self, image: &[f32], made: &[f32]) {
        self.mse.add(mse(image, made));
        self.psnr.add(psnr(image, made));
        if let Some(window) = &self.window {
            self.ssim.add(window.between(image, made));
        }
    }

    /// The mean of [`mse`]; `None` of no image.
    pub fn mse(&self) -> Option<Mean> {
        self.mse.mean()
    }

    /// The mean of [`psnr`]; `None` of no image.
    pub fn psnr(&self) -> Option<Mean> {
        self.psnr.mean()
    }

    /// The mean of [`Ssim`]; `None` of no image, of images smaller than its window, or without it.
    pub fn ssim(&self) -> Option<Mean> {
        self.ssim.mean()
    }
}
