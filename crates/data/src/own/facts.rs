//! What a user's own images are known by: a digest of their content, remembered as long as their files do not change.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spec::{Fit, OwnKind, hexadecimal};

use super::{Found, Whole, folder, hdf5, numpy};
use crate::cache;
use crate::download::Progress;
use crate::error::DataError;
use crate::files;
use crate::folders::Folders;
use crate::idx;
use crate::images::Shape;

/// Raised when a digest or the form of what is remembered changes.
const FORMAT: u32 = 2;

/// A file that changed less long ago may change again without another time, on file systems with coarse clocks.
const SETTLED: Duration = Duration::from_secs(1);

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    format: u32,
    /// The source.
    path: PathBuf,
    /// SHA-256 of its files' names, lengths and times.
    stamp: String,
    /// SHA-256 of shape, pixels and labels of its splits, in hexadecimal.
    pub digest: String,
    /// Whether every pixel is 0 or 1.
    pub is_binary: bool,
    /// Whether bytes stand for 0 and 1 rather than 0 and 1/255, since there are no others.
    pub is_unit: bool,
    /// What was done to the images, in words.
    pub notes: Vec<String>,
}

/// The facts of a source, and its images where they were read for it.
pub(super) fn of(
    found: &Found,
    folders: &Folders,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Facts, Option<Whole>), DataError> {
    let kept = kept_path(found, folders);
    let (stamp, is_settled) = stamp(found)?;
    let remembered = fs::read(&kept).ok().and_then(|text| serde_json::from_slice::<Facts>(&text).ok());
    if let Some(facts) = remembered.filter(|facts| facts.format == FORMAT && facts.stamp == stamp) {
        return Ok((facts, None));
    }
    // What changed a moment ago may change again, and is not remembered.
    let once = if is_settled { "once" } else { "which changed a moment ago" };
    progress(Progress::Message(&format!("reading the images of {}, {once}", found.path.display())));
    let (content, whole, notes) = match found.kind {
        OwnKind::Set => return Err(found.no_images()),
        OwnKind::Hdf5 => (hdf5::Contents::open(&found.path)?.digest()?, None, Vec::new()),
        OwnKind::Npy | OwnKind::Npz => with_digest(numpy::read(&found.path)?, Vec::new()),
        OwnKind::Idx => with_digest(super::idx::read(&found.path)?, Vec::new()),
        OwnKind::Folder => {
            let (whole, notes) = folder::read(&found.path, found.size)?;
            with_digest(whole, notes)
        }
    };
    for note in &notes {
        progress(Progress::Message(note));
    }
    let (digest, is_binary, is_unit) = content.finish();
    let path = std::path::absolute(&found.path).unwrap_or_else(|_| found.path.clone());
    let facts = Facts { format: FORMAT, path, stamp, digest, is_binary, is_unit, notes };
    if is_settled && let Err(error) = keep(&facts, whole.as_ref().filter(|whole| is_kept(found, whole)), found, folders)
    {
        // What cannot be remembered is read at every start, and nothing else.
        progress(Progress::Message(&format!("what was read of {} is not kept: {error}", found.path.display())));
    }
    Ok((facts, whole))
}

/// Whether decoded images are kept: those of a folder, unless their width would be taken for channels.
fn is_kept(found: &Found, whole: &Whole) -> bool {
    let shape = whole.train.shape;
    found.kind == OwnKind::Folder && (shape.channels == 1 || !matches!(shape.width, 1 | 3))
}

fn with_digest(whole: Whole, notes: Vec<String>) -> (ContentDigest, Option<Whole>, Vec<String>) {
    (whole.digest(), Some(whole), notes)
}

/// Where images of this digest were read before, if they are still there.
pub(super) fn place_of(digest: &str, folders: &Folders) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder_of_kept(folders)).ok()?;
    let texts = entries.flatten().filter_map(|entry| std::fs::read(entry.path()).ok());
    let mut facts = texts.filter_map(|text| serde_json::from_slice::<Facts>(&text).ok());
    facts.find(|facts| facts.digest == digest && facts.path.exists()).map(|facts| facts.path)
}

/// Where a folder's decoded images are kept.
pub(super) fn images_path(found: &Found, folders: &Folders) -> PathBuf {
    kept_path(found, folders).with_extension("h5")
}

fn folder_of_kept(folders: &Folders) -> PathBuf {
    folders.cache.join("own")
}

fn kept_path(found: &Found, folders: &Folders) -> PathBuf {
    let mut key = Sha256::new();
    key.update(found.kind.word());
    let path = found.path.canonicalize().unwrap_or_else(|_| found.path.clone());
    key.update(path.as_os_str().as_encoded_bytes());
    if let Some((size, fit)) = found.size {
        key.update([0, matches!(fit, Fit::Crop).into()]);
        key.update(size.to_le_bytes());
    }
    let key = hexadecimal(&key.finalize()[..8]);
    folder_of_kept(folders).join(format!("{key}.json"))
}

/// Keeps the facts, after the images if there are any to keep.
fn keep(facts: &Facts, images: Option<&Whole>, found: &Found, folders: &Folders) -> Result<(), DataError> {
    fs::create_dir_all(folder_of_kept(folders))?;
    if let Some(whole) = images {
        cache::write_own(&images_path(found, folders), whole)?;
    }
    let path = kept_path(found, folders);
    let temporary = files::temporary(&path);
    let text = serde_json::to_vec_pretty(facts).map_err(std::io::Error::from)?;
    fs::write(&temporary, text)?;
    files::publish(&temporary, &path)
}

/// A digest of the names, lengths and times of a source's files, and whether all of them have been as they are for a while.
fn stamp(found: &Found) -> Result<(String, bool), DataError> {
    let mut paths = match found.kind {
        OwnKind::Set => return Err(found.no_images()),
        OwnKind::Hdf5 | OwnKind::Npy | OwnKind::Npz => vec![found.path.clone()],
        OwnKind::Idx => super::idx::files(&found.path)?,
        OwnKind::Folder => folder::files(&found.path)?,
    };
    paths.sort_unstable();
    let (mut stamp, mut newest) = (Sha256::new(), SystemTime::UNIX_EPOCH);
    for path in &paths {
        let metadata = idx::open(path)?.metadata()?;
        let modified = metadata.modified()?;
        newest = newest.max(modified);
        stamp.update(path.as_os_str().as_encoded_bytes());
        stamp.update([0]);
        stamp.update(metadata.len().to_le_bytes());
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        stamp.update(since.as_nanos().to_le_bytes());
        // The time of the last change of any kind cannot be set, so that a copy with an old time is noticed too.
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            for part in [metadata.ctime(), metadata.ctime_nsec(), metadata.ino() as i64] {
                stamp.update(part.to_le_bytes());
            }
            let changed = Duration::new(metadata.ctime().max(0) as u64, metadata.ctime_nsec().max(0) as u32);
            newest = newest.max(SystemTime::UNIX_EPOCH + changed);
        }
    }
    let is_settled = newest.elapsed().is_ok_and(|elapsed| elapsed > SETTLED);
    Ok((hexadecimal(&stamp.finalize()), is_settled))
}

/// SHA-256 of what a source holds, whatever file it lies in: of its training, validation and test images the shape, the
/// pixels and the labels.
#[derive(Default)]
pub(super) struct ContentDigest {
    /// Whether 1 is the greatest value where no byte exceeds it.
    pub may_be_unit: bool,
    as_they_are: Sha256,
    /// Where no byte exceeds 1, 1 stands for 255.
    as_bits: Sha256,
    exceeds_one: bool,
    is_gray: bool,
}

impl ContentDigest {
    fn both(&mut self, bytes: &[u8]) {
        self.as_they_are.update(bytes);
        if !self.exceeds_one {
            self.as_bits.update(bytes);
        }
    }

    /// A split begins.
    pub fn begin(&mut self, shape: Shape, labels: Option<&[u8]>) {
        let Shape { n, channels, height, width } = shape;
        for length in [n, channels, height, width, labels.map_or(0, <[u8]>::len)] {
            self.both(&(length as u64).to_le_bytes());
        }
    }

    /// Some of its pixels, in order.
    pub fn pixels(&mut self, pixels: &[u8]) {
        self.as_they_are.update(pixels);
        self.exceeds_one |= pixels.iter().any(|&value| value > 1);
        self.is_gray |= pixels.iter().any(|value| !matches!(value, 0 | 255));
        if !self.exceeds_one {
            let bits: Vec<u8> = pixels.iter().map(|value| value * 255).collect();
            self.as_bits.update(bits);
        }
    }

    /// A split ends.
    pub fn end(&mut self, labels: Option<&[u8]>) {
        self.both(labels.unwrap_or_default());
    }

    /// A split that there is not.
    pub fn none(&mut self) {
        self.both(&[0]);
    }

    /// The digest in hexadecimal, whether all pixels are 0 or 1, and whether bytes of 1 stand for 1.
    fn finish(self) -> (String, bool, bool) {
        let is_unit = self.may_be_unit && !self.exceeds_one;
        let digest = if is_unit { self.as_bits } else { self.as_they_are };
        (hexadecimal(&digest.finalize()), is_unit || !self.is_gray, is_unit)
    }
}

impl std::fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentDigest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Images;

    #[test]
    fn the_same_images_have_one_digest_whether_bits_are_stored_as_1_or_255() {
        let shape = Shape { n: 2, channels: 1, height: 1, width: 2 };
        let digest = |pixels: [u8; 4], may_be_unit| {
            let train = Images { pixels: pixels.to_vec(), shape, labels: Some(vec![3, 1]), factors: None };
            let whole = Whole { train, validation: None, test: None, class_names: Vec::new() };
            ContentDigest { may_be_unit, ..whole.digest() }.finish()
        };
        let (bits, is_binary, is_unit) = digest([0, 1, 1, 0], true);
        assert!(is_binary && is_unit);
        assert_eq!(digest([0, 255, 255, 0], true), (bits.clone(), true, false));
        let (gray, is_binary, _) = digest([0, 1, 1, 0], false);
        assert!(!is_binary && gray != bits, "elsewhere a byte of 1 is nearly black");
        assert!(!digest([0, 255, 7, 0], true).1);
    }
}
