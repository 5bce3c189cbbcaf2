//! What the training process writes a run through; holds the run's lock from start to end.
//!
//! An epoch's files are written by a thread of their own while training goes on: flushing a file to the disk takes
//! milliseconds, which the runs of a cohort would otherwise wait for one after the other (36 of them 1.5 s an epoch on a
//! busy machine), and flushes that are asked for at once are served together. Each writer has at most one such thread,
//! and whatever else it does to these files waits for it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use protocol::Event;
use spec::metric::{Column, MEASURES_VERSION};
use spec::{Cell, Measurement, Metric};

use crate::arrays::Arrays;
use crate::checkpoint::{self, Checkpoint, LatestCheckpoint};
use crate::editor::RunEditor;
use crate::error::RecordError;
use crate::format::FormatVersion;
use crate::manifest::{Continued, EpochTerms, Provenance, RunManifest, StoredStatus, ThreadSpan, Timing};
use crate::rows::MetricsRow;
use crate::run::Run;
use crate::store::Store;
use crate::{evaluation, files, metrics};

/// How often `metrics.parquet` and `run.json` follow the segments while a run trains.
const REFRESH: Duration = Duration::from_secs(2);

/// The one writer of a run. Dropped without [`RunWriter::finish`], [`RunWriter::fail`] or [`RunWriter::interrupt`], it
/// leaves the run as a kill would: to be taken up from its latest checkpoint.
#[derive(Debug)]
pub struct RunWriter {
    manifest: RunManifest,
    /// All rows on record, in order of epoch and split.
    rows: Vec<MetricsRow>,
    log: fs_err::File,
    started: Instant,
    /// Seconds of the attempts before this one.
    earlier_seconds: f64,
    refreshed: Option<Instant>,
    /// Rows in `metrics.parquet`.
    n_refreshed: usize,
    /// Writes the latest epoch's files.
    pending: Option<JoinHandle<Result<(), RecordError>>>,
    /// Dropped after `pending` has ended.
    editor: RunEditor,
}

impl RunWriter {
    /// Begins a run, or takes up one that stopped, and marks it as running.
    ///
    /// Ask [`RunWriter::latest_checkpoint`] next, then call [`RunWriter::forget_after`] with its epoch, or with 0 to
    /// start from the beginning. Leftovers of a process that was killed are removed.
    ///
    /// # Errors
    /// [`RecordError::AlreadyDone`], [`RecordError::Locked`], [`RecordError::NewerFormat`], or if files cannot be
    /// written. A damaged `run.json` is written anew.
    pub fn start(store: &Store, cell: &Cell, provenance: &Provenance) -> Result<RunWriter, RecordError> {
        let run = store.run(&cell.run_id());
        files::create_folder(run.dir())?;
        let editor = RunEditor::lock(&run)?;
        let earlier = match run.manifest() {
            Ok(earlier) => Some(earlier),
            Err(error) if error.is_not_found() => None,
            Err(RecordError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if earlier.as_ref().is_some_and(|earlier| earlier.status == StoredStatus::Done) {
            return Err(RecordError::AlreadyDone { run: run.id().clone(), folder: run.dir().to_owned() });
        }
        for folder in [run.dir().to_owned(), run.segments_dir(), run.checkpoint_dir()] {
            for leftover in files::leftovers(&folder)? {
                files::remove(&leftover)?;
            }
        }
        let now = Timestamp::now();
        let timing = match &earlier {
            Some(RunManifest { timing, .. }) => {
                Timing { updated: now, ended: None, attempts: timing.attempts + 1, ..timing.clone() }
            }
            None => Timing { started: now, updated: now, ended: None, seconds: 0.0, attempts: 1 },
        };
        let manifest = RunManifest {
            format_version: FormatVersion::CURRENT,
            run_id: run.id().clone(),
            name: cell.readable_name(),
            status: StoredStatus::Running { pid: std::process::id() },
            seed: cell.training.seed,
            scale: cell.scale(),
            cell: cell.clone(),
            provenance: provenance.clone(),
            timing,
            continues: earlier.as_ref().and_then(|earlier| earlier.continues.clone()),
            thread_history: earlier.as_ref().map(RunManifest::threads).unwrap_or_default(),
            last_epoch: earlier.and_then(|earlier| earlier.last_epoch),
            kept_epoch: None,
            measures: 0,
        };
        // The first file of a run, so that whatever else is there can be told whose it is.
        manifest.write(&run.manifest_file())?;
        files::create_folder(&run.segments_dir())?;
        let rows = run.read_segments()?;
        let log = open_log(&run.log_file())?;
        let writer = RunWriter {
            earlier_seconds: manifest.timing.seconds,
            manifest,
            rows,
            log,
            started: Instant::now(),
            refreshed: None,
            n_refreshed: 0,
            pending: None,
            editor,
        };
        // An empty table at once, so that readers of all runs find a file from the start.
        metrics::replace(&writer.run().metrics_file(), &writer.rows)?;
        Ok(writer)
    }

    /// The run that is written.
    pub fn run(&self) -> &Run {
        self.editor.run()
    }

    /// Where `model.safetensors` goes, through [`files::write_atomically`].
    pub fn model_path(&self) -> PathBuf {
        self.run().model_file()
    }

    /// The checkpoint to go on from. Damaged ones are reported and removed, so that they are in no later one's way.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn latest_checkpoint(&self) -> Result<LatestCheckpoint, RecordError> {
        let latest = self.run().latest_checkpoint()?;
        if !latest.damaged.is_empty() {
            match &latest.checkpoint {
                Some(checkpoint) => checkpoint::forget_after(&self.run().checkpoint_dir(), checkpoint.step)?,
                None => files::remove_folder(&self.run().checkpoint_dir())?,
            }
        }
        Ok(latest)
    }

    /// Begins where `shorter`, a run that is done, ended: with its rows, as one segment, its seconds and its last checkpoint, which
    /// is returned. `None`, and nothing has changed, if that run has no whole checkpoint.
    ///
    /// Call it in the place of [`RunWriter::forget_after`], for a run without a checkpoint of its own. Whether training would pass
    /// through that end is the caller's to know, see [`Cell::goes_on_from`].
    ///
    /// # Errors
    /// If a file of `shorter` is damaged, or the file system refuses.
    pub fn begin_with(&mut self, shorter: &Run) -> Result<Option<Checkpoint>, RecordError> {
        let Some(end) = shorter.latest_checkpoint()?.checkpoint else { return Ok(None) };
        let manifest = shorter.manifest()?;
        self.forget_after(0)?;
        let id = self.run().id().clone();
        let rows: Vec<_> = shorter.metrics()?.into_iter().map(|row| MetricsRow { run_id: id.clone(), ..row }).collect();
        metrics::write(&self.segment(end.epoch), &rows)?;
        self.rows = rows;
        self.earlier_seconds = manifest.timing.seconds;
        self.manifest.last_epoch = last_epoch(&self.rows);
        self.manifest.thread_history = manifest.threads();
        self.manifest.continues = Some(Continued { run_id: shorter.id().clone(), epoch: end.epoch });
        self.refresh()?;
        let copied = |folder: &Path| checkpoint::copy_files(&end, folder);
        checkpoint::write(&self.run().checkpoint_dir(), end.epoch, end.step, copied).map(Some)
    }

    /// The numbers of threads that the run was trained with; empty before it began, or where they are not known.
    pub fn thread_history(&self) -> &[ThreadSpan] {
        &self.manifest.thread_history
    }

    /// Notes that the run is trained with so many threads after `step` steps, at once and before any checkpoint of later
    /// steps; what was noted of later steps is dropped.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn set_threads(&mut self, step: u64, threads: usize) -> Result<(), RecordError> {
        self.flush()?;
        let history = &mut self.manifest.thread_history;
        history.retain(|span| span.from_step < step);
        if history.last().is_none_or(|last| last.threads != threads) {
            history.push(ThreadSpan { from_step: step, threads });
        }
        self.write_manifest()
    }

    /// Drops what was recorded after `epoch` completed epochs, where training goes on: 0 to start from the beginning.
    /// Checkpoints stay as they are.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn forget_after(&mut self, epoch: u32) -> Result<(), RecordError> {
        self.flush()?;
        self.rows.retain(|row| row.epoch <= epoch);
        self.manifest.last_epoch = last_epoch(&self.rows);
        if epoch == 0 {
            self.manifest.continues = None;
        }
        // Newest first, and the table of all before them, so that no moment shows a gap.
        self.refresh()?;
        for (_, path) in self.run().segments()?.into_iter().rev().filter(|(later, _)| *later > epoch) {
            files::remove(&path)?;
        }
        Ok(files::sync_folder(&self.run().segments_dir())?)
    }

    /// Records one epoch: its rows, one for each split, as a segment of their own. The files are written while the
    /// caller goes on; [`RunWriter::flush`] waits for them.
    ///
    /// # Errors
    /// [`RecordError::NotFinite`] for the first value that is NaN or infinite, [`RecordError::Refused`] for rows of
    /// another run, scale or epoch, or an epoch that is on record already; nothing is recorded then. Or if the files of
    /// an earlier epoch could not be written.
    pub fn epoch(&mut self, rows: &[MetricsRow]) -> Result<(), RecordError> {
        let epoch = self.check(rows)?;
        self.flush()?;
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| row.split);
        self.rows.extend_from_slice(&rows);
        self.manifest.last_epoch = last_epoch(&self.rows);
        // A long run's table is replaced less often, since each replacement carries those before it.
        let n_new = self.rows.len() - self.n_refreshed;
        let is_due = self.refreshed.is_none_or(|last| last.elapsed() >= REFRESH) && n_new * 50 >= self.n_refreshed;
        let refresh = is_due.then(|| self.refreshed());
        let segment = self.segment(epoch);
        let write = move || {
            metrics::write(&segment, &rows)?;
            refresh.map_or(Ok(()), Refresh::write)
        };
        let thread = std::thread::Builder::new().name(format!("record {}", self.run().id())).spawn(write)?;
        self.pending = Some(thread);
        Ok(())
    }

    /// The segment that ends with this epoch.
    fn segment(&self, epoch: u32) -> PathBuf {
        self.run().segments_dir().join(format!("epoch-{epoch:05}.parquet"))
    }

    /// Waits until all epochs recorded so far are on the disk.
    ///
    /// # Errors
    /// If they could not be written.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        match self.pending.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(RecordError::Write {
                path: self.run().segments_dir(),
                cause: "the thread that writes panicked".into(),
            }),
        }
    }

    /// The epoch that all `rows` are of, if they are what the next segment may hold.
    fn check(&self, rows: &[MetricsRow]) -> Result<u32, RecordError> {
        let bug = |reason: String| RecordError::refused(reason, "this is a bug of the caller");
        let first = rows.first().ok_or_else(|| bug("an epoch without rows was to be recorded".to_owned()))?;
        for (index, row) in rows.iter().enumerate() {
            check_finite(row)?;
            check_terms(row)?;
            if row.run_id != *self.run().id() || row.scale != self.manifest.scale || row.epoch != first.epoch {
                return Err(bug(format!(
                    "a row of run `{}`, scale `{}`, epoch {} was to be recorded with run `{}`, scale `{}`, epoch {}",
                    row.run_id,
                    row.scale.as_str(),
                    row.epoch,
                    self.run().id(),
                    self.manifest.scale.as_str(),
                    first.epoch
                )));
            }
            if rows[..index].iter().any(|other| other.split == row.split) {
                return Err(bug(format!(
                    "epoch {} was to be recorded with two rows of split `{}`",
                    row.epoch, row.split
                )));
            }
        }
        match self.rows.last() {
            Some(last) if last.epoch >= first.epoch => Err(bug(format!(
                "epoch {} of run `{}` was to be recorded behind epoch {}",
                first.epoch,
                self.run().id(),
                last.epoch
            ))),
            _ => Ok(first.epoch),
        }
    }

    /// Brings `metrics.parquet` and `run.json` up to the rows on record.
    fn refresh(&mut self) -> Result<(), RecordError> {
        self.refreshed().write()
    }

    /// What brings `metrics.parquet` and `run.json` up to the rows on record, once it is written.
    fn refreshed(&mut self) -> Refresh {
        self.manifest.timing.seconds = self.earlier_seconds + self.started.elapsed().as_secs_f64();
        self.manifest.timing.updated = Timestamp::now();
        self.refreshed = Some(Instant::now());
        self.n_refreshed = self.rows.len();
        Refresh { run: self.run().clone(), rows: self.rows.clone(), manifest: self.manifest.clone() }
    }

    fn write_manifest(&mut self) -> Result<(), RecordError> {
        self.manifest.timing.updated = Timestamp::now();
        self.manifest.write(&self.run().manifest_file())
    }

    /// Writes a checkpoint through `write`, which is given a fresh folder to put files into; it appears as a whole,
    /// and the one before it is kept. Record the epochs up to it first.
    ///
    /// # Errors
    /// [`RecordError::Write`] with what `write` or the file system said.
    pub fn checkpoint<E>(
        &mut self,
        epoch: u32,
        step: u64,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Checkpoint, RecordError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.flush()?;
        checkpoint::write(&self.run().checkpoint_dir(), epoch, step, write)
    }

    /// Adds numbers measured on the trained model, in the place of rows of the same metric, split and settings.
    ///
    /// # Errors
    /// If a value is not finite or the file cannot be written.
    pub fn evaluation(&mut self, rows: &[Measurement]) -> Result<(), RecordError> {
        let old = match self.run().evaluation() {
            Err(RecordError::Damaged { .. }) => Vec::new(),
            other => other?,
        };
        evaluation::add(&self.run().evaluation_file(), old, rows)
    }

    /// Writes the arrays for figures.
    ///
    /// # Errors
    /// If shapes disagree or the file cannot be written.
    pub fn arrays(&mut self, arrays: &Arrays) -> Result<(), RecordError> {
        self.editor.arrays(arrays)
    }

    /// Appends an event to `log.jsonl`. It is not flushed to the disk: the log tells the story, it carries no numbers
    /// that are not in the tables.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn log(&mut self, event: &Event) -> Result<(), RecordError> {
        let path = self.run().log_file();
        let mut line = serde_json::to_vec(event).map_err(|error| RecordError::Write { path, cause: error.into() })?;
        line.push(b'\n');
        Ok(self.log.write_all(&line)?)
    }

    /// Says, before [`RunWriter::finish`], which epoch's weights are the model, where that need not be the last.
    pub fn keep(&mut self, epoch: u32) {
        self.manifest.kept_epoch = terms_at(&self.rows, epoch);
    }

    /// Ends a run that trained and was evaluated to its end: the segments become one `metrics.parquet`, and of the checkpoints the
    /// last stays, from which a run of more epochs can go on. `seconds` are the wall-clock seconds of this attempt.
    ///
    /// # Errors
    /// If the file system refuses; the run can then be finished again from its last checkpoint.
    pub fn finish(mut self, seconds: f64) -> Result<(), RecordError> {
        self.flush()?;
        metrics::replace(&self.run().metrics_file(), &self.rows)?;
        self.manifest.timing.seconds = self.earlier_seconds + seconds;
        self.manifest.measures = MEASURES_VERSION;
        self.end(StoredStatus::Done)?;
        files::remove_folder(&self.run().segments_dir())?;
        checkpoint::keep_newest(&self.run().checkpoint_dir())?;
        Ok(files::sync_folder(self.run().dir())?)
    }

    /// Ends a run that cannot go on, such as one with a value that is not finite. Its checkpoint stays.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn fail(mut self, reason: &str) -> Result<(), RecordError> {
        self.flush()?;
        self.refresh()?;
        self.end(StoredStatus::Failed { reason: reason.to_owned() })
    }

    /// Ends this attempt on a signal; the run goes on from its latest checkpoint when it is started again.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn interrupt(mut self) -> Result<(), RecordError> {
        self.flush()?;
        self.refresh()?;
        self.end(StoredStatus::Interrupted)
    }

    fn end(&mut self, status: StoredStatus) -> Result<(), RecordError> {
        self.log.sync_all()?;
        self.manifest.status = status;
        self.manifest.timing.ended = Some(Timestamp::now());
        self.write_manifest()
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // An error can be told to nobody here; the epoch is then missing, and trained again from the checkpoint.
        let _ = self.flush();
    }
}

/// A run's table and manifest, to be written.
struct Refresh {
    run: Run,
    rows: Vec<MetricsRow>,
    manifest: RunManifest,
}

impl Refresh {
    fn write(self) -> Result<(), RecordError> {
        metrics::replace(&self.run.metrics_file(), &self.rows)?;
        self.manifest.write(&self.run.manifest_file())
    }
}

/// Opens the log for appending; a line that a kill cut short is ended first, so that it spoils no other.
fn open_log(path: &Path) -> Result<fs_err::File, RecordError> {
    use std::io::Read;
    let mut log = fs_err::OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if log.seek(SeekFrom::End(0))? > 0 {
        log.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        log.read_exact(&mut last)?;
        if last != *b"\n" {
            log.write_all(b"\n")?;
        }
    }
    Ok(log)
}

/// The latest epoch's terms, for run.json.
fn last_epoch(rows: &[MetricsRow]) -> Option<EpochTerms> {
    terms_at(rows, rows.last()?.epoch)
}

/// The terms at an epoch, for run.json; `None` where it is not on record.
fn terms_at(rows: &[MetricsRow], epoch: u32) -> Option<EpochTerms> {
    let of_epoch = || rows.iter().filter(|row| row.epoch == epoch);
    let step = of_epoch().next()?.step;
    let splits: BTreeMap<_, _> = of_epoch().map(|row| (row.split, row.terms.clone())).collect();
    Some(EpochTerms { epoch, step, splits })
}

fn check_finite(row: &MetricsRow) -> Result<(), RecordError> {
    let terms = row.terms.iter().map(|(metric, value)| (metric.name(), value));
    let named = [("beta", row.beta), ("learning_rate", row.learning_rate), ("seconds", row.seconds)];
    let norm = row.gradient_norm.map(|norm| ("gradient_norm", norm));
    let per_dim = row.kl_per_dim.iter().map(|&value| ("kl_per_dim", value));
    match terms.chain(named).chain(norm).chain(per_dim).find(|(_, value)| !value.is_finite()) {
        Some((quantity, value)) => {
            Err(RecordError::NotFinite { quantity, value, split: row.split, epoch: row.epoch, step: row.step })
        }
        None => Ok(()),
    }
}

/// Refuses a row that lacks a metric of every model, has one that is no metric of an epoch, or a count that is none.
fn check_terms(row: &MetricsRow) -> Result<(), RecordError> {
    let bug = |reason: String| Err(RecordError::refused(reason, "this is a bug of the caller"));
    for metric in Metric::all() {
        match (metric.about().per_epoch, row.terms.get(metric)) {
            (Some(Column::F64), None) => return bug(format!("a row without `{metric}` was to be recorded")),
            (None, Some(_)) => return bug(format!("`{metric}` was to be recorded for an epoch")),
            (Some(Column::OptionalU32), Some(value)) if f64::from(value as u32) != value => {
                return bug(format!("`{metric}` is a count, and {value} was to be recorded"));
            }
            (None | Some(Column::F64 | Column::OptionalF64 | Column::OptionalU32), _) => {}
        }
    }
    Ok(())
}
