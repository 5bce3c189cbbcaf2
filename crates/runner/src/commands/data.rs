//! `elbo data`: the data sets known by name, and those of one's own.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use data::{DatasetInfo, Fetcher, Info, Prepared, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use spec::{Cell, Dataset, KNOWN_DATASETS, OwnKind, OwnSource, Registered, Source, registered};

use crate::outcome::Outcome;
use crate::output;
use crate::plan::{Plan, images};
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

#[derive(Serialize)]
struct ListJson {
    datasets: Vec<DatasetInfo>,
}

/// Prints the data sets that are known by name.
///
/// # Errors
/// If there is no cache folder or standard output cannot be written.
pub fn list(settings: &Settings, json: bool) -> Result<Outcome> {
    let mut datasets = data::list(&settings.folders()?);
    for (name, path) in registered::list(&registered::folders(Path::new("experiments"), settings.data.as_deref())) {
        let what = match Registered::load(&path) {
            Ok(set) => set.what.unwrap_or_else(|| format!("images at {}", set.images.path.display())),
            Err(error) => {
                output::say(&error.to_string());
                "cannot be read".to_owned()
            }
        };
        let origin = "registered by this file".to_owned();
        let n_bytes = fs_err::metadata(&path).map_or(0, |metadata| metadata.len());
        datasets.push(DatasetInfo { name, what, place: Some(path), origin, n_bytes });
    }
    if json {
        output::print_json(&ListJson { datasets })?;
        return Ok(Outcome::Well);
    }
    let mut table =
        TextTable::new([("name", Align::Left), ("what", Align::Left), ("size", Align::Right), ("where", Align::Left)]);
    for dataset in datasets {
        let place = match &dataset.place {
            Some(place) => TableEntry::from(place.display().to_string()),
            None => TableEntry::toned(dataset.origin, Tone::Dim),
        };
        let size = if dataset.place.is_some() { text::bytes(dataset.n_bytes) } else { String::new() };
        table.row(vec![dataset.name.into(), dataset.what.into(), size.into(), place]);
    }
    output::print(&format!(
        "{}\nyour own images: {}, as in `elbo data info folder:photos`; `datasets/NAME.yaml` gives them a name\n",
        table.render(settings.is_coloured),
        own_kinds()
    ))?;
    Ok(Outcome::Well)
}

/// Makes a data set ready, and prints where it is.
///
/// # Errors
/// If it is not found and cannot be fetched, or is damaged.
pub fn prepare(settings: &Settings, name: &str) -> Result<Outcome> {
    let source = source(name, settings.data.as_deref())?;
    let mut news = News::new(settings.has_bars);
    let prepared =
        data::prepare(&source, &settings.folders()?, &Fetcher::default(), &mut |progress| news.tell(progress));
    news.close();
    let Prepared { place, n_bytes, digest } = prepared?;
    output::say(&format!("{name} is ready: {}, SHA-256 of its images {digest}", text::bytes(n_bytes)));
    output::print(&format!("{}\n", place.display()))?;
    Ok(Outcome::Well)
}

/// Prints what is in a data set.
///
/// # Errors
/// As [`prepare`].
pub fn info(settings: &Settings, name: &str, json: bool) -> Result<Outcome> {
    let dataset = Dataset::plain(source(name, settings.data.as_deref())?);
    let mut news = News::new(settings.has_bars);
    let found = data::info(&dataset, &settings.folders()?, &Fetcher::default(), &mut |progress| news.tell(progress));
    news.close();
    let found = found?;
    if json {
        output::print_json(&found)?;
    } else {
        output::print(&to_text(&found, settings.is_coloured))?;
    }
    Ok(Outcome::Well)
}

/// How images of one's own are written on the command line.
fn own_kinds() -> String {
    let kinds: Vec<String> = OwnKind::all().map(|kind| format!("`{}:{}`", kind.word(), kind.place())).collect();
    let (last, others) = kinds.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    format!("{} or {last}", others.join(", "))
}

/// Reads the images of what a plan is to train or measure, and fetches what is not here; nothing is recorded if that fails.
///
/// # Errors
/// If they cannot be read or fetched, or a cell's networks do not fit them.
pub fn make_ready(settings: &Settings, plan: &Plan) -> Result<()> {
    let mut news = News::new(settings.has_bars);
    let ready = images::make_ready(plan, &settings.folders()?, &mut |progress| news.tell(progress));
    news.close();
    ready
}

/// What a name on the command line means: the name of a data set, or a kind and a path.
///
/// # Errors
/// If it is neither.
pub fn source(name: &str, data: Option<&Path>) -> Result<Source> {
    let path = |path: &str| -> Result<PathBuf> {
        if path.is_empty() {
            bail!("`{name}` has no path\nhint: write it behind the colon, as in `folder:photos`");
        }
        Ok(PathBuf::from(path))
    };
    match name.split_once(':') {
        None => match Source::named(name) {
            Some(source) => Ok(source),
            None => {
                let folders = registered::folders(Path::new("experiments"), data);
                if let Some(path) = registered::find(name, &folders) {
                    return Ok(Source::Own(OwnSource { kind: OwnKind::Set, path }));
                }
                let registered = registered::list(&folders);
                let known: Vec<&str> = KNOWN_DATASETS.iter().map(|known| known.name).collect();
                let known: Vec<&str> = known.into_iter().chain(registered.iter().map(|(name, _)| &**name)).collect();
                bail!(
                    "there is no data set `{name}`\nhint: use {}, your own images: {}, or a name that `datasets/NAME.yaml` gives",
                    spec::listed(&known, "or"),
                    own_kinds()
                )
            }
        },
        Some((word, rest)) => match OwnKind::named(word) {
            Some(kind) => Ok(Source::Own(OwnSource { kind, path: path(rest)? })),
            None => bail!("`{word}` is not a kind of data set\nhint: use {}", own_kinds()),
        },
    }
}

/// Whether a cell's data set is meant by a name as [`source`] takes it, by its path, or by its word in readable names.
pub fn is_named(cell: &Cell, name: &str) -> bool {
    let own = tagged(&cell.dataset.name);
    let is_given = source(name, None).is_ok_and(|given| {
        let given = tagged(&given);
        own.0 == given.0 && is_same_place(&own.1, &given.1)
    });
    is_given || own.1 == name || cell.dataset.name.readable_name() == name
}

/// The kind of a source and its path, or a known name alone.
fn tagged(source: &Source) -> (String, String) {
    match serde_json::to_value(source) {
        Ok(Value::Object(tagged)) => {
            tagged.into_iter().next().map(|(kind, path)| (kind, text::value(&path))).unwrap_or_default()
        }
        Ok(name) => (String::new(), text::value(&name)),
        Err(_) => Default::default(),
    }
}

/// Whether two paths, or names, mean the same; the second may be relative to here.
fn is_same_place(own: &str, given: &str) -> bool {
    let real = |path: &str| fs_err::canonicalize(path).or_else(|_| std::path::absolute(path));
    own == given || real(own).ok().zip(real(given).ok()).is_some_and(|(own, given)| own == given)
}

fn to_text(found: &Info, is_coloured: bool) -> String {
    use Align::{Left, Right};
    let mut text = format!("{}: {}\n", found.name, found.what);
    for (name, value) in [("cite", &found.citation), ("licence", &found.licence)] {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push_str(&match &found.content {
        Some(content) => format!("digest: {content}  (`dataset.digest`: what runs on these images are known by)\n"),
        None => format!("SHA-256: {}\n", found.digest),
    });
    if found.is_binary {
        text.push_str("pixels: 0 or 1 already (`pixels: binary`)\n");
    }
    let named = found.splits.iter().flat_map(|split| &split.classes).filter_map(|class| class.name.as_deref());
    let mut names: Vec<&str> = Vec::new();
    for name in named {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !names.is_empty() {
        text.push_str(&format!("classes: {}\n", names.join(", ")));
    }
    let mut splits = TextTable::new([
        ("split", Left),
        ("images", Right),
        ("height × width", Right),
        ("channels", Right),
        ("mean gray", Right),
        ("floor of gray-bce", Right),
        ("classes", Right),
    ]);
    for split in &found.splits {
        let classes = if split.classes.is_empty() { String::new() } else { split.classes.len().to_string() };
        splits.row(vec![
            split.split.as_str().into(),
            split.n.to_string().into(),
            format!("{} × {}", split.height, split.width).into(),
            split.channels.to_string().into(),
            format!("{:.4}", split.mean_gray).into(),
            format!("{} nats", text::number(split.gray_bce_floor)).into(),
            classes.into(),
        ]);
    }
    text.push('\n');
    text.push_str(&splits.render(is_coloured));
    if !found.factors.is_empty() {
        let mut factors = TextTable::new([("factor", Left), ("least", Right), ("greatest", Right)]);
        for factor in &found.factors {
            let shown = |value: f64| TableEntry::from(text::number(value));
            factors.row(vec![factor.name.as_str().into(), shown(factor.min), shown(factor.max)]);
        }
        text.push('\n');
        text.push_str(&factors.render(is_coloured));
    }
    text
}

/// Says what takes long: a bar that moves on a terminal, a line for each file otherwise.
struct News {
    has_bars: bool,
    bar: Option<(String, ProgressBar)>,
    last_file: String,
}

impl News {
    fn new(has_bars: bool) -> News {
        News { has_bars, bar: None, last_file: String::new() }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Message(message) => {
                self.close();
                output::say(message);
            }
            Progress::Download { file, n_bytes, of } if self.has_bars => {
                if self.bar.as_ref().is_none_or(|(name, _)| name != file) {
                    self.close();
                    let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::stderr());
                    let template = "{prefix:28} {wide_bar} {bytes} of {total_bytes}  {eta} left";
                    bar.set_style(
                        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
                    );
                    bar.set_prefix(file.to_owned());
                    self.bar = Some((file.to_owned(), bar));
                }
                if let Some((_, bar)) = &self.bar {
                    bar.set_position(n_bytes);
                }
            }
            Progress::Download { file, of, .. } => {
                if self.last_file != file {
                    let size = of.map(|n| format!(", {}", text::bytes(n))).unwrap_or_default();
                    output::say(&format!("downloading {file}{size}"));
                    file.clone_into(&mut self.last_file);
                }
            }
        }
    }

    fn close(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_sets_or_kinds_with_paths() {
        assert_eq!(source("mnist", None).ok(), Source::named("mnist"));
        assert_eq!(
            source("folder:a:b", None).ok(),
            Some(Source::Own(OwnSource { kind: OwnKind::Folder, path: "a:b".into() }))
        );
        for wrong in ["minst", "folder:", "zip:x", ""] {
            assert!(source(wrong, None).is_err(), "{wrong}");
        }
    }
}
