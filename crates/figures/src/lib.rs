//! Paper figures, tables and the HTML report, redrawn from an experiment's records alone.
//!
//! Modules in reading order. Records become plain numbers ([`records`]); each kind of figure turns numbers into a list of
//! marks in points ([`figure`]); one function per output format turns the marks into a file ([`output`], [`table`],
//! `report`). Nothing here reads the clock, the environment or a system font, so that drawing again gives the same
//! bytes on every machine. Nothing here needs libtorch, and no number is computed that is not in the records, but for
//! means over seeds and their intervals, and what the report's explorer decodes.
//!
//! A figure that makes no sense for the records (a manifold without a run of two latent dimensions) is skipped with a
//! reason; it is not an error. Runs that are not finished are left out, and captions say how many there are.

mod arrays;
mod assessment;
mod axis;
mod claims;
mod closed_form;
mod collect;
mod colour;
mod contrast;
pub mod csv;
mod dimensions;
mod drawing;
mod error;
mod escape;
mod explorer;
mod figure;
mod findings;
mod font;
mod legend;
mod marker;
mod needs;
mod notes;
mod origins;
mod output;
mod panel;
mod records;
mod report;
mod setting;
mod table;
mod tex;
mod tiles;
mod variant;
mod warnings;

use std::path::{Path, PathBuf};

use record::Store;
use spec::style::Format;
use spec::{Experiment, FigureKind};

pub use crate::assessment::{Assessment, assess, warnings_of_design};
pub use crate::claims::{Judged, JudgedClaim, JudgedComparison};
pub use crate::dimensions::{Dimension, dimensions};
pub use crate::error::FiguresError;
pub use crate::findings::{Finding, NOTE as FINDINGS_NOTE};
pub use crate::needs::needs;
pub use crate::warnings::{Warning, WarningKind};

use crate::drawing::Paper;
use crate::figure::Figure;
use crate::records::Records;

/// What [`draw`] wrote and what it did not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// The files, in the order they were written.
    pub files: Vec<PathBuf>,
    /// Kinds of figures that make no sense for these records, and why.
    pub skipped: Vec<(FigureKind, String)>,
    /// Runs of the experiment that are not finished: readable name and status.
    pub missing: Vec<(String, String)>,
    /// Figures of an earlier drawing that this one does not have, and that were removed.
    pub removed: Vec<PathBuf>,
}

/// Draws the figures that the experiment asks for, and writes its tables and its summary, under the store's
/// `sweeps/<name>/`: `figures/*.{svg,pdf,png}` in the formats of its style, with their captions as `*.txt`, `tables/*.{csv,tex}` and `summary.parquet`. Figures that an earlier drawing left
/// and this one does not have are removed.
///
/// # Errors
/// If no run is finished, a finished run cannot be read, or a file cannot be written.
pub fn draw(experiment: &Experiment, store: &Store) -> Result<Drawn, FiguresError> {
    draw_over(experiment, store, &experiment.figures, FigureKind::ALL)
}

/// As [`draw`], but only these kinds of figures; others stay as they are.
///
/// # Errors
/// As [`draw`].
pub fn draw_kinds(experiment: &Experiment, store: &Store, kinds: &[FigureKind]) -> Result<Drawn, FiguresError> {
    draw_over(experiment, store, kinds, kinds)
}

/// Draws into `folder` those of the figures that `wants` by their files' name without a suffix; no table, and nothing is removed.
///
/// # Errors
/// As [`draw`].
pub fn draw_into(
    experiment: &Experiment,
    store: &Store,
    folder: &Path,
    wants: impl Fn(FigureKind, &str) -> bool,
) -> Result<Drawn, FiguresError> {
    let records = collect::collect(experiment, store)?;
    let mut drawn = Drawn { missing: records.missing.clone(), ..Drawn::default() };
    for &kind in FigureKind::ALL {
        let (figures, skipped) = all_figures(&records, &[kind], Paper::of(&experiment.style));
        drawn.skipped.extend(skipped);
        for figure in figures.iter().filter(|figure| wants(kind, &figure.name)) {
            keep_figure(&mut drawn, figure, experiment, folder)?;
        }
    }
    Ok(drawn)
}

/// Writes a figure in the formats of the style, and its caption beside it.
fn keep_figure(drawn: &mut Drawn, figure: &Figure, experiment: &Experiment, folder: &Path) -> Result<(), FiguresError> {
    let svg = output::svg(&figure.drawing, &figure.name)?;
    let path = |suffix: &str| folder.join(format!("{}.{suffix}", figure.name));
    for format in &experiment.style.formats {
        let bytes = match format {
            Format::Svg => svg.as_bytes().to_vec(),
            Format::Pdf => output::pdf(&svg, &format!("{} of {}", figure.name, experiment.name))?,
            Format::Png => output::png(&svg)?,
        };
        keep(drawn, path(format.name()), &bytes)?;
    }
    keep(drawn, path("txt"), format!("{}\n", figure.caption).as_bytes())
}

/// Draws `kinds`, and removes what is left of `replaced`.
fn draw_over(
    experiment: &Experiment,
    store: &Store,
    kinds: &[FigureKind],
    replaced: &[FigureKind],
) -> Result<Drawn, FiguresError> {
    let records = collect::collect(experiment, store)?;
    let folder = store.sweep_dir(&experiment.name).join("figures");
    let (figures, skipped) = all_figures(&records, kinds, Paper::of(&experiment.style));
    let mut drawn = Drawn { skipped, missing: records.missing.clone(), ..Drawn::default() };
    for figure in &figures {
        keep_figure(&mut drawn, figure, experiment, &folder)?;
    }
    drawn.removed = forget(&folder, replaced, &drawn.files)?;
    write_tables(&mut drawn, experiment, store, &records)?;
    Ok(drawn)
}

/// Writes `sweeps/<name>/report.html`: one page without external requests, with the figures that the experiment asks
/// for, its table of results, and where the numbers come from. It needs no earlier [`draw`]. Tables and summary are written
/// anew with it, so that they hold the same numbers. Returns the page's path.
///
/// # Errors
/// As [`draw`].
pub fn report(experiment: &Experiment, store: &Store) -> Result<PathBuf, FiguresError> {
    let records = collect::collect(experiment, store)?;
    write_tables(&mut Drawn::default(), experiment, store, &records)?;
    let path = store.sweep_dir(&experiment.name).join("report.html");
    let kept = store.kept_sweep(&experiment.name)?;
    let n_changed = kept.as_ref().map_or(0, |kept| kept.claims.len().saturating_sub(1));
    let command = kept.map_or_else(|| format!("elbo sweep {}", experiment.written.file.display()), |kept| kept.command);
    write(&path, page_of(experiment, store, &records, &command, n_changed)?.as_bytes())?;
    Ok(path)
}

/// The tables of an experiment's records, and its summary.
fn write_tables(
    drawn: &mut Drawn,
    experiment: &Experiment,
    store: &Store,
    records: &Records,
) -> Result<(), FiguresError> {
    let folder = store.sweep_dir(&experiment.name).join("tables");
    for table in table::tables(records) {
        let path = |suffix: &str| folder.join(format!("{}.{suffix}", table.name));
        keep(drawn, path("csv"), table::csv(&table).as_bytes())?;
        keep(drawn, path("tex"), tex::tex(&table).as_bytes())?;
    }
    if let Some(judged) = &records.judged {
        keep(drawn, folder.join("claims.csv"), claims::table::csv(judged).as_bytes())?;
        keep(drawn, folder.join("claims.tex"), claims::table::tex(judged, &experiment.name).as_bytes())?;
    }
    drawn.files.push(collect::write_summary(experiment, store)?);
    Ok(())
}

fn keep(drawn: &mut Drawn, path: PathBuf, bytes: &[u8]) -> Result<(), FiguresError> {
    write(&path, bytes)?;
    drawn.files.push(path);
    Ok(())
}

/// Removes figures of these kinds that an earlier drawing left and this one did not write, such as a third part.
fn forget(folder: &Path, kinds: &[FigureKind], written: &[PathBuf]) -> Result<Vec<PathBuf>, FiguresError> {
    let mut removed = Vec::new();
    if !folder.is_dir() {
        return Ok(removed);
    }
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let is_ours = kinds
            .iter()
            .filter_map(|kind| stem.strip_prefix(kind.name()))
            .any(|rest| rest.is_empty() || rest.starts_with('-'));
        let is_figure = path
            .extension()
            .is_some_and(|suffix| suffix == "txt" || Format::ALL.iter().any(|format| suffix == format.name()));
        if is_ours && is_figure && !written.contains(&path) {
            fs_err::remove_file(&path)?;
            removed.push(path);
        }
    }
    removed.sort();
    Ok(removed)
}

/// The report's page.
fn page_of(
    experiment: &Experiment,
    store: &Store,
    records: &Records,
    command: &str,
    n_changed: usize,
) -> Result<String, FiguresError> {
    let (figures, skipped) = all_figures(records, &experiment.figures, Paper::default());
    let with_svg = figures.into_iter().map(|figure| Ok((output::svg(&figure.drawing, &figure.name)?, figure)));
    let figures: Vec<(String, Figure)> = with_svg.collect::<Result<_, FiguresError>>()?;
    let explorer = match explorer::explorer(experiment, store, records)? {
        Ok(explorer) => Ok(report::explorer(&explorer)?),
        Err(reason) => Err(reason),
    };
    let page = report::Page {
        experiment,
        records,
        explorer: &explorer,
        figures: &figures,
        skipped: &skipped,
        command,
        n_changed,
    };
    Ok(report::html(&page))
}

type Skipped = Vec<(FigureKind, String)>;

fn all_figures(records: &Records, kinds: &[FigureKind], paper: Paper) -> (Vec<Figure>, Skipped) {
    let (mut figures, mut skipped) = (Vec::new(), Vec::new());
    for &kind in kinds {
        match figure::figures(kind, records, paper) {
            Ok(more) => figures.extend(more),
            Err(reason) => skipped.push((kind, reason)),
        }
    }
    (figures, skipped)
}

/// Writes a file as a whole: readers see the old one or the new one. It is not flushed to the disk, since it can always
/// be drawn again.
fn write(path: &Path, bytes: &[u8]) -> Result<(), FiguresError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    fs_err::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{}.tmp-{}", name.to_string_lossy(), std::process::id()));
    fs_err::write(&temporary, bytes)?;
    Ok(fs_err::rename(&temporary, path)?)
}
