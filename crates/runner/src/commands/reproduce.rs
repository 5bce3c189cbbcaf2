//! `elbo reproduce`: published numbers against those obtained, as a table built from committed records alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use record::published::{self, PublishedRow};
use spec::Experiment;

use crate::args::ReproduceArgs;
use crate::outcome::Outcome;
use crate::output;
use crate::reproduction::{self, Line, SetUp, Verdict};
use crate::settings::{Settings, experiment_file};
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

/// Where the experiments are that are held against published numbers.
const FOLDER: &str = "experiments/reference";

/// Copies what the table needs from the store into the records, and writes the table from the records; or, to check,
/// compares the table that is there.
///
/// # Errors
/// If an experiment, a run or a record cannot be read, a file cannot be written, or, to check, a file differs.
pub fn reproduce(settings: &Settings, args: &ReproduceArgs) -> Result<Outcome> {
    let folder = args.published.clone().unwrap_or_else(|| settings.results.join("published"));
    let given: Vec<PathBuf> = args.experiments.iter().map(|given| plain(&experiment_file(given))).collect();
    let mut set_ups = Vec::new();
    for file in files(&given)? {
        let experiment = Experiment::load(&file, &[])?;
        let Some(reference) = experiment.reference.clone() else {
            if given.contains(&file) {
                bail!(
                    "`{}` is held against nothing\nhint: published numbers go under its key `reference`",
                    file.display()
                );
            }
            continue;
        };
        let path = folder.join("records").join(format!("{}.parquet", experiment.name));
        let mut records = published::read(&path)?;
        if !args.check && (given.is_empty() || given.contains(&file)) {
            let renewed = renewed(&experiment, &records, settings.store()?.published_rows(&experiment)?);
            if renewed != records {
                published::write(&path, &renewed)?;
                records = renewed;
            }
        }
        set_ups.push(SetUp { file: file.display().to_string(), experiment, reference, records });
    }
    check_names(&set_ups)?;
    let lines = reproduction::lines(&set_ups);
    let tables = [("reproduction.csv", reproduction::csv(&lines)), ("reproduction.md", reproduction::markdown(&lines))];
    for (name, text) in tables {
        let path = folder.join(name);
        if args.check {
            compare(&path, &text)?;
        } else {
            record::files::write_bytes_atomically(&path, text.as_bytes())?;
        }
    }
    if !args.check {
        output::print(&summary(&lines, settings.is_coloured))?;
        output::say(&format!("written: {}", folder.join("reproduction.md").display()));
    }
    Ok(Outcome::Well)
}

/// The experiments' files: those in the folder, and those that were named, each once, in order.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files: BTreeSet<PathBuf> = given.iter().cloned().collect();
    match fs_err::read_dir(FOLDER) {
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "yaml") {
                    files.insert(path);
                }
            }
        }
        Err(_) if !given.is_empty() => {}
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "there is no folder `{FOLDER}` here\nhint: start this in the repository's root, or name experiments"
                )
            });
        }
    }
    let mut files: Vec<PathBuf> = files.into_iter().collect();
    // By name without the ending: `a.yaml` comes before `a-bin.yaml`.
    files.sort_by_key(|file| file.file_stem().map(std::ffi::OsStr::to_owned));
    Ok(files)
}

/// A path relative to the working directory where it lies below it, so that a file has one name.
fn plain(path: &Path) -> PathBuf {
    let below = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    let path = below.unwrap_or_else(|| path.to_owned());
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// The records with what the store has in the place of earlier ones of the same runs; runs that are no longer the
/// experiment's are dropped.
fn renewed(experiment: &Experiment, earlier: &[PublishedRow], stored: Vec<PublishedRow>) -> Vec<PublishedRow> {
    let mut rows = Vec::new();
    for cell in &experiment.cells {
        let of_cell = |rows: &[PublishedRow]| -> Vec<PublishedRow> {
            rows.iter().filter(|row| row.is_of(cell)).cloned().collect()
        };
        let new = of_cell(&stored);
        rows.extend(if new.is_empty() { of_cell(earlier) } else { new });
    }
    rows
}

/// Whether records and rows can be told apart by their names.
fn check_names(set_ups: &[SetUp]) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for set_up in set_ups {
        if !names.insert(&set_up.experiment.name) {
            bail!("two experiments are named `{}`\nhint: `{}` is one of them", set_up.experiment.name, set_up.file);
        }
        for row in &set_up.reference.rows {
            if !ids.insert(&row.id) {
                bail!("two published numbers have the id `{}`\nhint: one is in `{}`", row.id, set_up.file);
            }
        }
    }
    Ok(())
}

/// Complains about the first line that differs.
fn compare(path: &Path, rebuilt: &str) -> Result<()> {
    let hint = "hint: `elbo reproduce` writes the table anew from the records";
    let found = fs_err::read_to_string(path).map_err(|error| anyhow!("{error}\n{hint}"))?;
    if found == rebuilt {
        return Ok(());
    }
    let differing = found.lines().zip(rebuilt.lines()).position(|(found, rebuilt)| found != rebuilt);
    let line = differing.unwrap_or_else(|| found.lines().count().min(rebuilt.lines().count())) + 1;
    bail!("`{}` is not what its records give: line {line} differs\n{hint}", path.display())
}

/// The table in a few columns, for a terminal.
fn summary(lines: &[Line<'_>], is_coloured: bool) -> String {
    let heads = [("", Align::Left), ("metric", Align::Left), ("published", Align::Right), ("obtained", Align::Right)];
    let mut table = TextTable::new(heads.into_iter().chain([("seeds", Align::Right), ("reproduced", Align::Left)]));
    for line in lines {
        let obtained = line.obtained.as_ref();
        let half_width = obtained.and_then(reproduction::Obtained::half_width);
        let tone = match line.verdict {
            Verdict::Reproduced { is_tuned: false } => Tone::Good,
            Verdict::Reproduced { is_tuned: true } | Verdict::NotEnoughSeeds { .. } | Verdict::OrderOnly => Tone::Busy,
            Verdict::NotReproduced => Tone::Bad,
            Verdict::NotJudged | Verdict::NotRun => Tone::Dim,
        };
        table.row(vec![
            line.row.id.as_str().into(),
            line.row.metric.name().into(),
            text::number(line.row.value).into(),
            obtained
                .map(|obtained| text::interval(line.row.metric.metric().0, obtained.mean, half_width))
                .unwrap_or_default()
                .into(),
            obtained.map(|obtained| obtained.n_seeds.to_string()).unwrap_or_default().into(),
            TableEntry::toned(line.verdict.as_str(), tone),
        ]);
    }
    table.render(is_coloured)
}
