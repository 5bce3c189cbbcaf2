//! Downloads of known files: pinned, resumable, capped, and made by one process at a time.

use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use fs_err as fs;

use crate::error::DataError;
use crate::files;
use crate::folders::Folders;
use crate::known::{PublishedFile, PublishedSet};
use crate::noise;
use crate::split::{Parts, Wanted};

/// News of what takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Something to tell the user once.
    Message(&'a str),
    /// A download goes on.
    Download {
        /// The file's name.
        file: &'a str,
        /// Bytes that are here.
        n_bytes: u64,
        /// Bytes that there will be, where the server says so.
        of: Option<u64>,
    },
}

/// How to download. What is accepted is pinned elsewhere, and no setting here changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetcher {
    /// Addresses to use instead of the known mirrors; the files' names are appended.
    pub mirrors: Option<Vec<String>>,
    /// How long to wait for a connection, and for the head of an answer.
    pub connect_timeout: Duration,
    /// How long a download may bring fewer than 1,024 bytes before it is given up.
    pub stall_timeout: Duration,
    /// How often each mirror is tried; every try goes on where the last one broke off.
    pub n_attempts: usize,
    /// How long to wait before the second try; before later ones as many times longer.
    pub pause: Duration,
    /// How many redirections are followed.
    pub n_redirects: u32,
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher {
            mirrors: None,
            connect_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(30),
            n_attempts: 5,
            pause: Duration::from_secs(1),
            n_redirects: 5,
        }
    }
}

/// Why an attempt failed, and whether another one at the same mirror may help.
struct Failure {
    why: String,
    again: bool,
}

impl Failure {
    fn passing(why: impl Into<String>) -> Failure {
        Failure { why: why.into(), again: true }
    }

    fn lasting(why: impl Into<String>) -> Failure {
        Failure { why: why.into(), again: false }
    }

    fn disk(error: std::io::Error) -> Failure {
        Failure::lasting(format!("cannot be stored: {error}"))
    }
}

impl Fetcher {
    /// Reads a set's images where they lie, or downloads them first; what is damaged in the cache is
    /// downloaded again.
    pub(crate) fn load(
        &self,
        set: PublishedSet<'_>,
        folders: &Folders,
        wanted: &Wanted,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Parts, DataError> {
        let cache = set.cache_folder(folders);
        match set.find(folders) {
            Some(folder) if folder != cache => return set.read(&folder, wanted),
            Some(_) => match set.read(&cache, wanted) {
                Err(DataError::File { .. }) => {}
                result => return result,
            },
            None => {}
        }
        self.fetch(set, &cache, progress).map_err(|error| where_to_put(error, set, folders))?;
        set.read(&cache, wanted)
    }

    /// Downloads what `folder` does not hold whole. Several processes may call this at once: one downloads, the others
    /// wait and find the files there.
    pub(crate) fn fetch(
        &self,
        set: PublishedSet<'_>,
        folder: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), DataError> {
        let waiting = format!("another process is downloading {}; waiting for it", set.known.name);
        let report = std::cell::RefCell::new(progress);
        let wait = || (report.borrow_mut())(Progress::Message(&waiting));
        files::with_lock(folder, wait, || {
            for file in set.files() {
                let path = folder.join(file.served());
                let here = file.find(folder);
                if here.is_some_and(|path| check(&path, file).is_ok()) {
                    continue;
                }
                self.fetch_file(set, file, &path, &mut **report.borrow_mut())?;
            }
            Ok(())
        })
    }

    fn fetch_file(
        &self,
        set: PublishedSet<'_>,
        file: PublishedFile<'_>,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), DataError> {
        let mut attempts = Vec::new();
        let known = || set.published.mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
        for mirror in self.mirrors.clone().unwrap_or_else(known) {
            let url = format!("{}/{}", mirror.trim_end_matches('/'), file.served());
            // A part is continued only from the mirror it came from, for another may have wrapped the file otherwise.
            let words: Vec<u64> = url.bytes().map(u64::from).collect();
            let part = path.with_file_name(format!(".{}.part-{:016x}", file.name, noise::key(&words)));
            for n_before in 0..self.n_attempts.max(1) {
                std::thread::sleep(self.pause.saturating_mul(n_before as u32));
                match self.attempt(&url, file, &part, progress) {
                    Ok(()) => return files::publish(&part, path),
                    Err(failure) => {
                        attempts.push(format!("  {url}: {}", failure.why));
                        if !failure.again {
                            break;
                        }
                    }
                }
            }
        }
        let folder = path.parent().unwrap_or(path).display();
        Err(DataError::Download {
            dataset: set.known.name.to_owned(),
            file: file.name.to_owned(),
            attempts,
            hint: format!(
                "check the network, or put the files of {} into `{folder}` or under `--data`; \
                 the dataset `glyphs` needs no download",
                set.known.name
            ),
        })
    }

    /// Brings `part` to completion and checks it; a part that is wrong is removed, one that is merely short is kept.
    fn attempt(
        &self,
        url: &str,
        file: PublishedFile<'_>,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        let was_begun = fs::metadata(part).is_ok_and(|metadata| metadata.len() > 0);
        let result = self.transfer(url, file, part, progress).and_then(|()| {
            check(part, file).map_err(|error| {
                let _ = fs::remove_file(part);
                // Without its hint, which is about files of the user's.
                let text = error.to_string();
                let why = format!("serves something else: {}", text.lines().next().unwrap_or_default());
                // What was continued may have been wrong from the start, and not by this mirror's fault.
                Failure { why, again: was_begun }
            })
        });
        if result.as_ref().is_err_and(|failure| !failure.again) {
            let _ = fs::remove_file(part);
        }
        result
    }

    fn transfer(
        &self,
        url: &str,
        file: PublishedFile<'_>,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        // Incompressible bytes grow when they are compressed: fixed Huffman codes, which fast encoders write, spend nine bits
        // on most bytes.
        let cap = file.length + file.length / 8 + 4096;
        let mut out =
            fs::OpenOptions::new().create(true).truncate(false).write(true).open(part).map_err(Failure::disk)?;
        let mut n_bytes = out.seek(SeekFrom::End(0)).map_err(Failure::disk)?;
        let mut request = self.agent().get(url).header("accept-encoding", "identity");
        if n_bytes > 0 {
            request = request.header("range", format!("bytes={n_bytes}-"));
        }
        let mut response = request.call().map_err(describe)?;
        match response.status().as_u16() {
            206 => {
                let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
                if !range.is_some_and(|range| range.starts_with(&format!("bytes {n_bytes}-"))) {
                    return restart(&mut out, "answers with another range than was asked for");
                }
            }
            200 => {
                // The server begins anew, so does the file.
                out.set_len(0).map_err(Failure::disk)?;
                n_bytes = out.seek(SeekFrom::Start(0)).map_err(Failure::disk)?;
            }
            416 => return restart(&mut out, "has nothing after the bytes that are here"),
            status if status >= 500 || status == 429 => {
                return Err(Failure::passing(format!("answers with status {status}")));
            }
            status => return Err(Failure::lasting(format!("answers with status {status}"))),
        }
        let of = response.body().content_length().map(|rest| n_bytes.saturating_add(rest));
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        let (mut window, mut n_before) = (Instant::now(), n_bytes);
        loop {
            let n_read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n_read) => n_read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::passing(format!("broke off after {n_bytes} bytes: {error}"))),
            };
            n_bytes += n_read as u64;
            if n_bytes > cap {
                return Err(Failure::lasting(format!("sends more than {cap} bytes")));
            }
            out.write_all(&buffer[..n_read]).map_err(Failure::disk)?;
            progress(Progress::Download { file: file.name, n_bytes, of });
            if n_bytes - n_before >= 1024 {
                (window, n_before) = (Instant::now(), n_bytes);
            } else if window.elapsed() > self.stall_timeout {
                return Err(Failure::passing(format!("stalls after {n_bytes} bytes")));
            }
        }
        match of {
            Some(of) if n_bytes < of => Err(Failure::passing(format!("broke off after {n_bytes} of {of} bytes"))),
            _ => Ok(()),
        }
    }

    fn agent(&self) -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(self.n_redirects)
            .max_redirects_will_error(true)
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(self.connect_timeout))
            .timeout_per_read(Some(self.stall_timeout))
            .user_agent("elbo")
            .build()
            .into()
    }
}

/// Empties the part, so that the next attempt asks for all of it.
fn restart(out: &mut fs::File, why: &str) -> Result<(), Failure> {
    out.set_len(0).map_err(Failure::disk)?;
    Err(Failure::passing(why))
}

/// An error of a download that also says what was looked for and where, so that it can be put there.
fn where_to_put(error: DataError, set: PublishedSet<'_>, folders: &Folders) -> DataError {
    let DataError::Download { dataset, file, attempts, .. } = error else { return error };
    let quoted = |text: String| format!("`{text}`");
    let files: Vec<String> = set.files().iter().map(|file| quoted(file.name.to_owned())).collect();
    let searched: Vec<String> = set.searched(folders).iter().map(|path| quoted(path.display().to_string())).collect();
    let hint = format!(
        "check the network, or put {}, each as it is or as `.gz`, into one of the folders that were looked at: {}; \
         the dataset `glyphs` needs no download",
        files.join(", "),
        searched.join(", "),
    );
    DataError::Download { dataset, file, attempts, hint }
}

/// Whether trying again may help: not where the address or the answer is at fault.
fn describe(error: ureq::Error) -> Failure {
    let again = match error {
        // Nobody is there; more waiting is for the next mirror.
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => false,
        ureq::Error::Io(ref error) if error.kind() == ErrorKind::ConnectionRefused => false,
        // The standard library gives an unknown host no kind of its own.
        ureq::Error::Io(ref error) => !error.to_string().contains("lookup address"),
        ureq::Error::Timeout(_) => true,
        _ => false,
    };
    Failure { why: error.to_string(), again }
}

/// That a file is the one that is pinned.
fn check(path: &Path, file: PublishedFile<'_>) -> Result<(), DataError> {
    match file.read(path)? {
        (_, None) => Ok(()),
        (_, Some(difference)) => Err(DataError::file(path, difference, "fetch it again")),
    }
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
