//! A workspace in a temporary folder: `elbo`, a stand-in for `elbo-train`, experiments, and made-up records.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use protocol::{Message, Version};
use record::{Array, ArrayName, Arrays, EpochMetrics, Host, MetricsRow, Provenance, RunWriter, Store};
use spec::{Cell, Experiment, Metric, MetricSettings, Split};

use crate::made_up::{self, measured};

/// Two latent widths × two β × two seeds, on the digits that need no file.
pub const SMALL: &str = "
name: small
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1] }
figures: [loss-curves, elbo-by-latent-dim]
";

/// A folder with everything a command may need; removed when dropped.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A place that holds `elbo` alone and the experiment `small.yaml`.
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (built, own) = (env!("CARGO_BIN_EXE_elbo"), folder.path().join("elbo"));
        if std::fs::hard_link(built, &own).is_err() {
            std::fs::copy(built, &own).unwrap();
        }
        let place = Place { folder };
        place.write("small.yaml", SMALL);
        place
    }

    /// A place in which `elbo-train` is this shell script, which tells its version first.
    pub fn with_worker(script: &str) -> Place {
        let hello = serde_json::to_string(&Message::Hello(Version::own())).unwrap();
        Place::with_program(&format!("echo '{hello}'\n{script}"))
    }

    /// A place in which `elbo-train` is this shell script and nothing more.
    pub fn with_program(script: &str) -> Place {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new();
        // Written beside and renamed: a file that was just open for writing may be too busy to be started.
        place.write("elbo-train.new", &format!("#!/bin/sh\n{script}\n"));
        let new = place.path("elbo-train.new");
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, place.path("elbo-train")).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("results")).unwrap()
    }

    /// `elbo` with arguments as they would be typed, in this folder and out of reach of the user's settings.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(self.path("elbo"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["ELBO_RESULTS", "ELBO_DATA", "NO_COLOR", "COLUMNS", "CLICOLOR_FORCE", "OMP_NUM_THREADS"] {
            command.env_remove(name);
        }
        command.env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.folder.path());
        command
    }

    /// Runs `elbo` to its end.
    pub fn elbo(&self, arguments: &str) -> Said {
        Said::of(self, &self.command(arguments).output().unwrap())
    }

    /// Standard output as JSON, of a command that went well.
    pub fn json(&self, arguments: &str) -> serde_json::Value {
        let said = self.elbo(arguments);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments}");
        serde_json::from_str(&said.out).unwrap()
    }
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(place: &Place, output: &Output) -> Said {
        let text = |bytes: &[u8]| plain(place, &String::from_utf8_lossy(bytes));
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Text in which the temporary folder, times and ids look the same at every run.
fn plain(place: &Place, text: &str) -> String {
    let text = text.replace(&place.folder.path().display().to_string(), "[FOLDER]");
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_time = line.starts_with("started ");
        if is_time {
            plain.push_str("started   [TIME]\n");
        } else {
            plain.push_str(line);
        }
    }
    plain
}

pub fn experiment(text: &str) -> Experiment {
    Experiment::parse("made-up.yaml", text.as_bytes(), &[]).unwrap()
}

/// Where made-up runs were trained.
pub fn provenance() -> Provenance {
    Provenance {
        versions: [("elbo".to_owned(), "0.0.0".to_owned())].into(),
        host: Host { name: "somewhere".to_owned(), cpu: "a processor".to_owned(), ..Host::default() },
        device: "cpu".to_owned(),
        threads: 1,
        ..Provenance::default()
    }
}

/// Writes a finished run of a model without any of the bound's terms, such as a GAN.
pub fn finish_without_bound(store: &Store, cell: &Cell) {
    let mut writer = RunWriter::start(store, cell, &provenance()).unwrap();
    let row = MetricsRow {
        terms: EpochMetrics::from([(Metric::Objective, 0.75), (Metric::Discriminator, 1.25)]),
        kl_per_dim: Vec::new(),
        ..row(cell, 1, Split::Test)
    };
    writer.epoch(&[row]).unwrap();
    writer.finish(12.5).unwrap();
}

/// Writes a finished run.
pub fn finish(store: &Store, cell: &Cell) {
    let mut writer = begin(store, cell, cell.training.epochs as u32);
    writer.arrays(&arrays(cell)).unwrap();
    let elbo = row(cell, cell.training.epochs as u32, Split::Test).terms.get(Metric::Elbo).unwrap();
    let of_latents = MetricSettings { components: Some(10), ..MetricSettings::default() };
    let rows = [
        measured(Metric::Elbo, elbo, 0.25, MetricSettings::samples(1)),
        measured(Metric::LatentLogDensity, elbo + 2.0, 0.25, of_latents),
    ];
    writer.evaluation(&rows).unwrap();
    writer.finish(12.5).unwrap();
}

/// Starts a run and records epochs.
pub fn begin(store: &Store, cell: &Cell, epochs: u32) -> RunWriter {
    let mut writer = RunWriter::start(store, cell, &provenance()).unwrap();
    for epoch in 1..=epochs {
        writer.epoch(&[Split::Train, Split::Test].map(|split| row(cell, epoch, split))).unwrap();
    }
    writer
}

/// Numbers that are a formula of the cell.
fn row(cell: &Cell, epoch: u32, split: Split) -> MetricsRow {
    let (beta, width, seed) = (cell.objective.beta, cell.model.latent_dim, cell.training.seed as f64);
    let kl_per_dim = vec![5.0 / beta + 0.125 * seed; width];
    let reconstruction = 150.0 - 5.5 * width as f64 + 4.0 * beta + seed + 10.0 / f64::from(epoch);
    let reconstruction = if split == Split::Test { reconstruction + 1.0 } else { reconstruction };
    made_up::row(cell, epoch, split, reconstruction, kl_per_dim)
}

fn arrays(cell: &Cell) -> Arrays {
    let filled = |shape: Vec<usize>| {
        let n = shape.iter().product();
        Array::new(shape, vec![0.5; n]).unwrap()
    };
    let width = cell.model.latent_dim;
    let mut arrays = Arrays::from_iter([
        (ArrayName::Originals, Some(filled(vec![4, 1, 4, 4]))),
        (ArrayName::Reconstructions, Some(filled(vec![4, 1, 4, 4]))),
        (ArrayName::Samples, Some(filled(vec![4, 1, 4, 4]))),
        (ArrayName::Manifold, (width == 2).then(|| filled(vec![2, 2, 1, 4, 4]))),
        (ArrayName::LatentMean, Some(filled(vec![6, width]))),
        (ArrayName::LatentLogVariance, Some(filled(vec![6, width]))),
    ]);
    arrays.labels = Some(vec![0, 1, 2, 3, 4, 5]);
    arrays
}

/// A store in which every cell of [`SMALL`] is done.
pub fn filled() -> Place {
    let place = Place::new();
    for cell in &experiment(SMALL).cells {
        finish(&place.store(), cell);
    }
    place
}

/// The names in a list, in its order.
pub fn names(place: &Place, options: &str) -> Vec<String> {
    let list = place.json(&format!("list --json {options}"));
    list["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a file is there.
pub fn wait_for(path: &Path) {
    for _ in 0..1000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("`{}` did not appear", path.display());
}
