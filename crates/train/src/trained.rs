//! Trained models: built without an optimizer, with the parameters that files hold.

use anyhow::{Context as _, ensure};
use data::Splits;
use model::mixture::GaussianMixture;
use model::{Family, ImageShape};
use record::Run;
use spec::{Cell, ModelKind};
use tch::Device;

use crate::cohort;
use crate::weights::Weights;

/// A model that is trained.
#[derive(Debug)]
pub enum TrainedModel {
    /// Of a family that is trained by gradients; one replica a cell.
    Family(Box<dyn Family>),
    /// A Gaussian mixture over pixels.
    Mixture(GaussianMixture),
}

impl TrainedModel {
    /// The model of cells that share a cohort key, with the parameters of each, for images of this shape.
    ///
    /// Errors when parameters are not of the model, or there are several Gaussian mixtures, which have no replica axis.
    pub fn open(members: &[(&Cell, &Weights)], image: ImageShape, device: Device) -> anyhow::Result<TrainedModel> {
        if let [(cell, weights)] = members
            && matches!(cell.model.kind, ModelKind::GaussianMixture { .. })
        {
            let mixture = GaussianMixture::import(&weights.tensors, device);
            let what = || format!("`{}` does not hold a mixture's parameters", weights.file.display());
            return Ok(TrainedModel::Mixture(mixture.with_context(what)?));
        }
        let cells: Vec<&Cell> = members.iter().map(|(cell, _)| *cell).collect();
        let model = cohort::build(&cells, image, device)?;
        for (replica, (_, weights)) in members.iter().enumerate() {
            weights.load(model.parameters(), replica)?;
        }
        Ok(TrainedModel::Family(model))
    }

    /// The model, of a family that is trained by gradients.
    ///
    /// Errors for a Gaussian mixture.
    pub fn family(&self) -> anyhow::Result<&dyn Family> {
        match self {
            TrainedModel::Family(model) => Ok(model.as_ref()),
            TrainedModel::Mixture(_) => anyhow::bail!("a Gaussian mixture over pixels has no terms to be measured"),
        }
    }
}

/// Refuses other images than those that a run was trained with.
pub fn check_images(run: &Run, splits: &Splits) -> anyhow::Result<()> {
    let trained_on = run.manifest()?.provenance.data_sha256;
    ensure!(
        trained_on == splits.digest,
        "the images are no longer those that the model was trained with: their digest was `{trained_on}`"
    );
    Ok(())
}
