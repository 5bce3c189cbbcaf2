//! A trained model and what a worker makes of it: the request, the files of the answer, and where results are written.

mod output;

pub use output::{Format, check_output, write};

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use data::{OwnImages, Shape};
use record::usage::{Given, ORIGINALS, Usage, What};
use record::{Array, Run, RunManifest, Status, npy};
use rustix::process::Signal;
use serde::Serialize;
use signal_hook::consts::SIGINT;

use crate::args::GivenArgs;
use crate::output::say;
use crate::settings::Settings;
use crate::sweep::{LAST_LINES, Message, Setup, TICK, Watch, Worker, absolute, find_worker};
use crate::text;

/// A run that is done.
pub struct Model<'a> {
    /// The run.
    pub run: Run,
    /// What it is.
    pub manifest: RunManifest,
    settings: &'a Settings,
}

/// How a worker's work ended, when no error stopped it.
pub enum Asked {
    /// The answer is there.
    Answered(Answer),
    /// This signal ended it.
    Stopped(u8),
}

/// The files of an answer; removed when dropped.
pub struct Answer {
    folder: Folder,
}

/// The images that an encoder is given, as they are asked for.
pub struct Images {
    /// As a worker is told.
    pub given: Given,
    /// A person's own.
    pub own: Option<OwnImages>,
}

impl Model<'_> {
    /// The model of a run.
    ///
    /// # Errors
    /// If there is no such run, or it is not done.
    pub fn find<'a>(settings: &'a Settings, run: &str) -> Result<Model<'a>> {
        let run = settings.store()?.find(run)?;
        let (manifest, status) = (run.manifest()?, run.status()?);
        if status != Status::Done {
            let remark = text::remark(&status);
            let remark = if remark.is_empty() { String::new() } else { format!(", {remark}") };
            bail!(
                "run `{}` has no trained model: it is {}{remark}\nhint: `elbo sweep` its experiment first",
                manifest.name,
                status.word()
            );
        }
        Ok(Model { run, manifest, settings })
    }

    /// The shape of an image; `n` is 0.
    ///
    /// # Errors
    /// If the run's arrays cannot be read.
    pub fn image_shape(&self) -> Result<Shape> {
        match self.run.arrays()?.samples.shape[..] {
            [_, channels, height, width] => Ok(Shape { n: 0, channels, height, width }),
            _ => Err(anyhow!("`{}` holds no images", self.run.arrays_file().display())),
        }
    }

    /// Reads the images that are asked for, unless they are the worker's to read.
    ///
    /// # Errors
    /// If one is not there, cannot be read, or does not fit the model.
    pub fn images(&self, args: &GivenArgs) -> Result<Images> {
        match args.test {
            Some(n) => Ok(Images { given: Given::Test(n), own: None }),
            None if args.images.is_empty() => {
                bail!(
                    "there are no images to work on\nhint: name PNG or JPEG files or folders of them, or use test images: `--test 20`"
                )
            }
            None => {
                let own = data::read_images(&args.images, self.image_shape()?)?;
                Ok(Images { given: Given::File, own: Some(own) })
            }
        }
    }

    /// Has a worker do something with the model.
    ///
    /// # Errors
    /// If there is no worker, or it fails, with what it said.
    pub fn ask(&self, what: What, own: Option<&OwnImages>) -> Result<Asked> {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        enum Task<'a> {
            Use(&'a Usage),
        }
        let program = find_worker()?;
        let Shape { channels, height, width, .. } = self.image_shape()?;
        let folder = Folder::new()?;
        if let Some(own) = own {
            let values = own.images.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let array = Array::new(vec![own.images.shape.n, channels, height, width], values)?;
            fs_err::write(folder.path.join(ORIGINALS), npy::to_bytes(&array))?;
        }
        let asked = Usage { folder: folder.path.clone(), image: [channels, height, width], what };
        let setup = Setup {
            program,
            results: absolute(&self.settings.results)?,
            data: self.settings.data.as_deref().map(absolute).transpose()?,
            // What is asked for is little beside the start of libtorch.
            threads: 1,
            device: spec::Device::Cpu,
        };
        let (messages, inbox) = channel();
        let _watch = Watch::start(messages.clone())?;
        let mut worker = Worker::start(&setup, 0, Task::Use(&asked), &[&self.manifest.cell], &messages)?;
        let (mut lines, mut stopped, mut ended) = (Vec::new(), None, None);
        let status = loop {
            match inbox.recv_timeout(TICK) {
                Ok(Message::Signal(signal)) => {
                    worker.signal(match (stopped, signal) {
                        (Some(_), _) => Signal::KILL,
                        (None, SIGINT) => Signal::INT,
                        (None, _) => Signal::TERM,
                    });
                    stopped.get_or_insert(signal);
                }
                Ok(Message::Line { line, .. }) => {
                    worker.note_line(&line);
                    lines.push(line);
                }
                Ok(Message::Closed { .. }) => worker.note_closed(),
                Ok(Message::Event { .. }) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("all senders of messages are gone"),
            }
            if ended.is_none() {
                ended = worker.ended()?.map(|status| (status, Instant::now()));
            }
            match ended {
                Some((status, since)) if worker.is_silent() || since.elapsed() > LAST_LINES => break status,
                _ => {}
            }
        };
        if let Some(signal) = stopped {
            return Ok(Asked::Stopped(u8::try_from(signal).unwrap_or(0)));
        }
        if !status.success() {
            // A message of several lines, its hints among them, is the last thing that is said.
            let said =
                lines.iter().rposition(|line| line.starts_with("error: ")).map(|start| lines[start..].join("\n"));
            bail!(said.map_or_else(|| worker.reason(status), |said| said.trim_start_matches("error: ").to_owned()));
        }
        lines.iter().for_each(|line| say(line));
        Ok(Asked::Answered(Answer { folder }))
    }
}

impl Answer {
    /// An array of the answer.
    ///
    /// # Errors
    /// If it is not there.
    pub fn array(&self, name: &str) -> Result<Array> {
        npy::read(&self.folder.path.join(name)).context("elbo-train has not written what it was asked for")
    }

    /// An array that not every model has.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn optional(&self, name: &str) -> Result<Option<Array>> {
        self.folder.path.join(name).exists().then(|| self.array(name)).transpose()
    }
}

/// A folder of this process alone for what goes to and fro; removed when dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::path::absolute(std::env::temp_dir().join(format!("elbo-{}", std::process::id())))?;
        // A folder of this name is of a process that was killed; the new one is readable by its owner alone.
        let _ = fs_err::remove_dir_all(&path);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| {
            format!("cannot make the folder `{}`\nhint: set TMPDIR to another place", path.display())
        })?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.path);
    }
}
