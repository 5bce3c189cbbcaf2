//! Batches of images along the replica axis, gathered from bytes.

use data::Images;
use model::noise::{NoiseKey, Stream, permutation};
use spec::{Cell, Pixels};
use tch::{Device, Kind, Tensor};

/// Cuts a split into batches for every replica of a cohort.
#[derive(Debug)]
pub struct Batches<'a> {
    images: &'a Images,
    n_pixels: usize,
    batch_size: usize,
    seeds: Vec<u64>,
    dynamic: bool,
    device: Device,
    /// The visiting order of each replica in the epoch at hand.
    order: Vec<Vec<u32>>,
    epoch: u64,
}

impl<'a> Batches<'a> {
    /// Batches for training `cells`, which share their dataset and batch size.
    pub fn new(images: &'a Images, cells: &[Cell], device: Device) -> Batches<'a> {
        let batch_size = cells.first().map_or(1, |cell| cell.training.batch_size);
        Batches {
            images,
            n_pixels: images.shape.n_pixels(),
            batch_size,
            seeds: cells.iter().map(|cell| cell.training.seed).collect(),
            dynamic: cells.first().is_some_and(|cell| cell.dataset.pixels == Pixels::Dynamic),
            device,
            order: Vec::new(),
            epoch: 0,
        }
    }

    /// Training images.
    pub fn n_images(&self) -> usize {
        self.images.shape.n
    }

    /// Steps in an epoch, the partial last batch included.
    pub fn n_steps(&self) -> usize {
        self.images.shape.n.div_ceil(self.batch_size)
    }

    /// Shuffle for an epoch: every replica by its own seed.
    pub fn start_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.order = self.seeds.iter().map(|&seed| permutation(seed, epoch, self.images.shape.n)).collect();
    }

    /// Step `step` of the epoch that was started; shape `[R, B, P]`, values in 0…1.
    pub fn batch(&self, step: usize) -> Tensor {
        let start = step * self.batch_size;
        let end = (start + self.batch_size).min(self.images.shape.n);
        let chosen: Vec<&[u32]> = self.order.iter().map(|order| &order[start..end]).collect();
        self.chosen(&chosen, self.epoch)
    }

    /// The images at `chosen[r]` for each replica r, as many for each, as epoch `epoch` sees them; shape `[R, B, P]`, values
    /// in 0…1.
    pub fn chosen(&self, chosen: &[&[u32]], epoch: u64) -> Tensor {
        let n = chosen.first().map_or(0, |indices| indices.len());
        let mut bytes = Vec::with_capacity(self.seeds.len() * n * self.n_pixels);
        let mut drawn = vec![0u8; if self.dynamic { self.n_pixels } else { 0 }];
        for (indices, &seed) in chosen.iter().zip(&self.seeds) {
            let stream = NoiseKey::new(Stream::Pixels, epoch, 0).hash(seed);
            for &index in *indices {
                let gray = self.images.image(index as usize);
                if self.dynamic {
                    data::binarise(stream, 0, u64::from(index), gray, &mut drawn);
                    bytes.extend_from_slice(&drawn);
                } else {
                    bytes.extend_from_slice(gray);
                }
            }
        }
        to_unit(&bytes, self.device).view([self.seeds.len() as i64, n as i64, self.n_pixels as i64])
    }
}

/// Images `start..end` of a split in their stored order, the same for all replicas; shape `[R, B, P]`, values in 0…1.
pub fn in_order(images: &Images, start: usize, end: usize, n_replicas: usize, device: Device) -> Tensor {
    let n_pixels = images.shape.n_pixels();
    let batch = to_unit(&images.pixels[start * n_pixels..end * n_pixels], device);
    let batch = batch.view([1, (end - start) as i64, n_pixels as i64]);
    batch.expand([n_replicas as i64, -1, -1], false).contiguous()
}

/// Bytes 0…255 to single precision in 0…1; the bytes travel to the device, not the floats.
fn to_unit(bytes: &[u8], device: Device) -> Tensor {
    let mut values = Tensor::from_slice(bytes).to_device(device).to_kind(Kind::Float);
    values.g_mul_scalar_(1.0 / 255.0)
}
