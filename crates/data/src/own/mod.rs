//! A user's own images: HDF5, IDX, or a folder of PNG and JPEG files; any height and width, gray or colour.

pub(crate) mod folder;
pub(crate) mod hdf5;
pub(crate) mod idx;

pub use folder::{OwnImages, read_images};

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::folders::Folders;
use crate::idx::written;
use crate::images::Shape;

/// The path as it is, or below the data folder where it is relative and only exists there.
pub(crate) fn resolve(path: &Path, folders: &Folders) -> Result<PathBuf, DataError> {
    let below = folders.data.as_ref().map(|data| data.join(path));
    let found = std::iter::once(path.to_path_buf()).chain(below).find(|path| path.exists());
    found.ok_or_else(|| DataError::file(path, "there is no such file or folder", "check the path in `dataset.name`"))
}

/// How an array holds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// The images' shape.
    shape: Shape,
    /// Whether the channels are the last axis rather than the second.
    channels_last: bool,
}

impl Layout {
    /// The layout of an array [n, height, width], [n, height, width, channels] or [n, channels, height, width].
    ///
    /// Where both the second and the last axis could be channels, the last one is.
    fn of(path: &Path, axes: &[usize]) -> Result<Layout, DataError> {
        let layout = match *axes {
            [n, height, width] => Layout { shape: Shape { n, channels: 1, height, width }, channels_last: false },
            [n, height, width, channels @ (1 | 3)] => {
                Layout { shape: Shape { n, channels, height, width }, channels_last: true }
            }
            [n, channels @ (1 | 3), height, width] => {
                Layout { shape: Shape { n, channels, height, width }, channels_last: false }
            }
            _ => {
                let hint = "give images as [n, height, width], or with 1 or 3 channels as a second or a last axis";
                return Err(DataError::file(
                    path,
                    format!("holds an array of {}, which are no images", written(axes)),
                    hint,
                ));
            }
        };
        if axes.contains(&0) {
            return Err(DataError::file(
                path,
                format!("holds an empty array of {}", written(axes)),
                "give some images",
            ));
        }
        Ok(layout)
    }

    /// Writes an image of this layout to `out` as [channels, height, width].
    fn channels_first(&self, image: &[u8], out: &mut [u8]) {
        let Shape { channels, height, width, .. } = self.shape;
        if !self.channels_last || channels == 1 {
            out.copy_from_slice(image);
            return;
        }
        for (position, pixel) in image.chunks_exact(channels).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                out[channel * height * width + position] = value;
            }
        }
    }
}
