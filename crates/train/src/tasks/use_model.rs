//! Uses a trained model: makes images from latents, or latents from images.

use anyhow::{Context as _, bail};
use data::Splits;
use model::mixture::GaussianMixture;
use model::noise::{NoiseKey, Stream};
use model::{Family, ImageShape, interpolation};
use protocol::usage::{
    ANGLE, Decoder, IMAGES, ImageSource, LABELS, LATENTS, LOG_VARIANCE, LatentSource, MEAN, ORIGINALS, Operation, Usage,
};
use record::{Array, Run, npy};
use spec::{Cell, LatentSpace};
use tch::{Device, Kind, Tensor};

use crate::arrays::to_vec;
use crate::batches::{Batches, in_order};
use crate::context::{TaskContext, TaskOutcome};
use crate::evaluate::BATCH;
use crate::sampling::Sampler;
use crate::trained::{TrainedModel, check_images};
use crate::weights::Weights;

/// Do what is asked with the model of one cell, whose run is done. The data is read only where it is needed.
///
/// Errors when the run is not done, its files or its data cannot be read, or the model cannot do it.
pub(super) fn use_model(cell: &Cell, usage: &Usage, context: &TaskContext) -> anyhow::Result<TaskOutcome> {
    let run = context.store()?.run(&usage.run);
    let weights = Weights::of_run(&run)?;
    let [channels, height, width] = usage.image;
    let trained = TrainedModel::open(&[(cell, &weights)], ImageShape { channels, height, width }, context.device)?;
    let model_use = ModelUse { cell, run: &run, usage, context };
    let done = tch::no_grad(|| match &trained {
        TrainedModel::Mixture(mixture) => model_use.mixture(mixture),
        TrainedModel::Family(model) => model_use.family(model.as_ref()),
    })?;
    Ok(if done { TaskOutcome::Done } else { context.interrupted() })
}

struct ModelUse<'a> {
    cell: &'a Cell,
    run: &'a Run,
    usage: &'a Usage,
    context: &'a TaskContext,
}

impl ModelUse<'_> {
    /// A mixture over pixels has draws and nothing else; `false` never.
    fn mixture(&self, mixture: &GaussianMixture) -> anyhow::Result<bool> {
        let Operation::Sample { from: LatentSource::Prior, n, seed, decoder } = self.usage.operation else {
            bail!(
                "a Gaussian mixture over pixels has neither latents nor an encoder\nhint: `elbo sample` draws from it"
            );
        };
        let mut generator = NoiseKey::new(Stream::Prior, 0, seed).generator(self.cell.training.seed);
        self.write_images(&match decoder {
            Decoder::Mean => mixture.sample_means(n, &mut generator),
            Decoder::Sample => mixture.sample(n, &mut generator),
        })?;
        Ok(true)
    }

    /// `false` when a signal came.
    fn family(&self, model: &dyn Family) -> anyhow::Result<bool> {
        match self.usage.operation {
            Operation::Sample { from, n, decoder, seed } => {
                let z = self.latents(model, from, n, seed)?;
                let Some(images) = self.decode(model, &z, decoder, seed)? else { return Ok(false) };
                self.write_images(&images)?;
            }
            Operation::Decode { decoder, seed } => {
                let Some(images) = self.decode(model, &self.given_latents()?, decoder, seed)? else { return Ok(false) };
                self.write_images(&images)?;
            }
            Operation::Reconstruct { images, decoder, seed } => {
                let originals = self.originals(images)?;
                let Some(latents) = self.encode(model, &originals)? else { return Ok(false) };
                let Some(images) = self.decode(model, &latents.mean, decoder, seed)? else { return Ok(false) };
                self.write_images(&images)?;
            }
            Operation::Interpolate { images, steps } => {
                let originals = self.originals(images)?;
                let Some(latents) = self.encode(model, &originals)? else { return Ok(false) };
                let [from, to] = [0, 1].map(|end| latents.mean.narrow(1, end, 1));
                let mut paths = vec![interpolation::linear(&from, &to, steps)];
                // Off the straight line probabilities would leave 0…1.
                if self.cell.model.latent_space() != Some(LatentSpace::Bits) {
                    paths.push(interpolation::spherical(&from, &to, steps));
                }
                let z = Tensor::cat(&paths, 1).flatten(1, 2);
                let Some(images) = self.decode(model, &z, Decoder::Mean, 0)? else { return Ok(false) };
                let [channels, height, width] = self.usage.image.map(|length| length as i64);
                self.write(IMAGES, &images.view([paths.len() as i64, -1, channels, height, width]))?;
                self.write(ANGLE, &interpolation::angle(&from, &to).view([1]))?;
            }
            Operation::Encode { images } => {
                let originals = self.originals(images)?;
                let Some(latents) = self.encode(model, &originals)? else { return Ok(false) };
                self.write(MEAN, &latents.mean.get(0))?;
                if let Some(log_variance) = &latents.log_variance {
                    self.write(LOG_VARIANCE, &log_variance.get(0))?;
                }
            }
        }
        Ok(true)
    }

    /// `[1, n, D]`
    fn latents(&self, model: &dyn Family, from: LatentSource, n: usize, seed: u64) -> anyhow::Result<Tensor> {
        if from == LatentSource::Prior {
            return Ok(model.generator().sample_prior(n, NoiseKey::new(Stream::Prior, 0, seed)));
        }
        let splits = self.splits()?;
        let train = Batches::new(&splits.train, std::slice::from_ref(self.cell), self.context.device);
        let sampler = Sampler::new(model, train, self.context.device);
        let no_encoder = || self.no_encoder();
        if from == LatentSource::Aggregate {
            return sampler.aggregate(n, seed).with_context(no_encoder);
        }
        let drawn = sampler.mixture(n, seed).and_then(|mut drawn| drawn.pop());
        let drawn = drawn.with_context(|| match self.cell.model.latent {
            spec::Latent::Bernoulli { .. } => {
                "the latents of this run are bits, over which a Gaussian mixture is no distribution\nhint: use `--from aggregate`".to_owned()
            }
            spec::Latent::Gaussian => no_encoder(),
        })?;
        Ok(drawn?.unsqueeze(0))
    }

    /// Those that were handed over, `[1, n, D]`.
    fn given_latents(&self) -> anyhow::Result<Tensor> {
        let Array { shape, values } = npy::read(&self.usage.folder.join(LATENTS))?;
        let width = self.cell.model.latent_dim;
        if shape.len() != 2 || shape[1] != width {
            bail!("`{LATENTS}` has the shape {shape:?}, and the run's latents [n, {width}]");
        }
        Ok(Tensor::from_slice(&values).view([1, -1, width as i64]).to_device(self.context.device))
    }

    fn no_encoder(&self) -> String {
        let name = self.cell.readable_name();
        format!(
            "the model of `{name}` has no encoder, hence no latents of images\nhint: `elbo sample` draws from its prior"
        )
    }

    /// The run's data, which must still be what it was trained on.
    fn splits(&self) -> anyhow::Result<Splits> {
        let splits = self.context.splits(self.cell)?;
        check_images(self.run, &splits)?;
        Ok(splits)
    }

    /// Images for the encoder, `[1, n, P]`.
    fn originals(&self, source: ImageSource) -> anyhow::Result<Tensor> {
        let n_pixels = self.usage.image.iter().product::<usize>() as i64;
        match source {
            ImageSource::File => {
                let Array { shape, values } = npy::read(&self.usage.folder.join(ORIGINALS))?;
                let expected = &self.usage.image[..];
                if shape.get(1..) != Some(expected) {
                    bail!("`{ORIGINALS}` has the shape {shape:?}, and the run's images {expected:?}");
                }
                Ok(Tensor::from_slice(&values).view([1, -1, n_pixels]).to_device(self.context.device))
            }
            ImageSource::TestPair(places) => {
                let test = self.splits()?.test;
                if let Some(place) = places.iter().find(|&&place| place >= test.shape.n) {
                    bail!(
                        "there is no test image {place}\nhint: they are counted from 0, so the last is {}",
                        test.shape.n.saturating_sub(1)
                    );
                }
                let pixels = places.map(|place| in_order(&test, place, place + 1, 1, self.context.device));
                let pixels = Tensor::cat(&pixels, 1);
                self.write_originals(&pixels)?;
                Ok(pixels)
            }
            ImageSource::Test(n) => {
                let test = self.splits()?.test;
                if n > test.shape.n {
                    bail!(
                        "{n} test images are asked for, and there are {0}\nhint: use `--test {0}` or fewer",
                        test.shape.n
                    );
                }
                let pixels = in_order(&test, 0, n, 1, self.context.device);
                self.write_originals(&pixels)?;
                if let Some(labels) = &test.labels {
                    let labels: Vec<f32> = labels.iter().take(n).map(|&label| f32::from(label)).collect();
                    self.write(LABELS, &Tensor::from_slice(&labels))?;
                }
                Ok(pixels)
            }
        }
    }

    /// `None` when a signal came.
    fn encode(&self, model: &dyn Family, originals: &Tensor) -> anyhow::Result<Option<Encoded>> {
        let encoder = model.encoder().with_context(|| self.no_encoder())?;
        let (mut means, mut log_variances) = (Vec::new(), Vec::new());
        for x in originals.split(BATCH as i64, 1) {
            if self.context.is_stopped() {
                return Ok(None);
            }
            let q = encoder.posterior(&x);
            means.push(q.mean());
            log_variances.extend(q.log_variance());
        }
        let log_variance = (!log_variances.is_empty()).then(|| Tensor::cat(&log_variances, 1));
        Ok(Some(Encoded { mean: Tensor::cat(&means, 1), log_variance }))
    }

    /// Images `[n, P]` for latents `[1, n, D]`; `None` when a signal came.
    fn decode(&self, model: &dyn Family, z: &Tensor, decoder: Decoder, seed: u64) -> anyhow::Result<Option<Tensor>> {
        let mut parts = Vec::new();
        for (i, z) in z.split(BATCH as i64, 1).iter().enumerate() {
            if self.context.is_stopped() {
                return Ok(None);
            }
            parts.push(match decoder {
                Decoder::Mean => model.generator().mean(z),
                // Each portion draws on its own; seeds of people are small.
                Decoder::Sample => {
                    model.generator().sample(z, seed.wrapping_add((i as u64) << 32)).with_context(|| {
                        let name = self.cell.readable_name();
                        format!("the decoder of `{name}` is no distribution over images\nhint: use `--decoder mean`")
                    })?
                }
            });
        }
        Ok(Some(Tensor::cat(&parts, 1).squeeze_dim(0)))
    }

    /// Writes images that the encoder was given, `[1, n, P]`.
    fn write_originals(&self, pixels: &Tensor) -> anyhow::Result<()> {
        let [channels, height, width] = self.usage.image.map(|length| length as i64);
        self.write(ORIGINALS, &pixels.view([-1, channels, height, width]))
    }

    /// Writes images `[n, P]`.
    fn write_images(&self, images: &Tensor) -> anyhow::Result<()> {
        let [channels, height, width] = self.usage.image.map(|length| length as i64);
        self.write(IMAGES, &images.view([-1, channels, height, width]))
    }

    fn write(&self, name: &str, values: &Tensor) -> anyhow::Result<()> {
        let shape = values.size().iter().map(|&length| length as usize).collect();
        let array = Array::new(shape, to_vec(&values.to_kind(Kind::Float).to_device(Device::Cpu)))?;
        Ok(fs_err::write(self.usage.folder.join(name), npy::to_bytes(&array))?)
    }
}

/// What the encoder says; `[1, n, D]`.
struct Encoded {
    mean: Tensor,
    log_variance: Option<Tensor>,
}
