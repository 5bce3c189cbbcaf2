//! What an experiment is: parse, check, expand, identify.
//!
//! An experiment is a YAML file. [`Experiment::load`] reads it into a tree that remembers where everything was written, puts
//! every `--set` into it, expands its sweep (see [`sweep`]), and reads and checks every cell. What comes out is valid, each
//! [`Cell`] by itself a run with an id (see [`run_id`]); what does not come out is explained by a [`SpecError`] with the
//! file, line, column, path in the spec, offending value and a hint.
//!
//! ```
//! use spec::Experiment;
//!
//! let text = b"
//! name: latent-dims
//! dataset: { name: glyphs }
//! model: { hidden: [400], latent_dim: 20 }
//! sweep:
//!   grid: { model.latent_dim: [2, 20], training.seed: [0, 1, 2] }
//! ";
//! let experiment = Experiment::parse("latent-dims.yaml", text, &[])?;
//! assert_eq!(experiment.cells.len(), 6);
//! assert_eq!(experiment.cells[0].readable_name(), "vae-glyphs-z2-b1-s0");
//! assert_eq!(experiment.cells[0].run_id().as_str().len(), 16);
//!
//! let quick = Experiment::parse("latent-dims.yaml", text, &["training.seed=0".to_owned()])?;
//! assert_eq!(quick.cells.len(), 2);
//!
//! let error = Experiment::parse("x.yaml", b"name: x\ndataset: { name: minst }", &[]).unwrap_err();
//! assert!(error.to_string().contains("did you mean `mnist`?"));
//! # Ok::<(), spec::SpecError>(())
//! ```

pub mod cell;
pub mod claim;
pub mod evaluation;
pub mod experiment;
pub mod figure;
pub mod measurement;
pub mod metric;
pub mod reference;
pub mod registered;
pub mod style;
pub mod sweep;
mod term;

pub mod corruption;
pub mod dataset;
pub mod kind;
pub mod known;
pub mod latent;
pub mod likelihood;
pub mod model;
pub mod net;
pub mod objective;
pub mod optimizer;
pub mod prior;
pub mod training;

mod cohort;
mod continuation;
mod difference;
pub mod layout;
mod readable_name;
pub mod run_id;
pub mod scale;

pub mod check;
mod de;
pub mod diagnostic;
mod fields;
mod node;
mod number;
pub mod paths;
mod pattern;
mod suggest;
mod text;
mod yaml;

pub use cell::Cell;
pub use check::{CheckError, Complaint};
pub use claim::{Across, Claim, ClaimPart, Comparison, Conditions, Contrast, Expect, Matched, claims_hash};
pub use corruption::Corruption;
pub use dataset::{Dataset, Fit, Identity, OwnKind, OwnSource, Pixels, Source};
pub use diagnostic::{Diagnostic, SpecError};
pub use difference::differing_paths;
pub use evaluation::Evaluation;
pub use experiment::{About, Arm, Axis, Device, Execution, Experiment, Written};
pub use fields::{is_switched_off, setting_title};
pub use figure::FigureKind;
pub use kind::{ModelKind, Regulariser};
pub use known::{KNOWN_DATASETS, KnownDataset};
pub use latent::{Latent, LatentSpace};
pub use layout::{ImageShape, Layout};
pub use likelihood::{Likelihood, SharedVariance};
pub use measurement::{Measurement, Split};
pub use metric::{Metric, MetricSettings};
pub use model::Model;
pub use net::{Activation, Init, Net, TooDeep};
pub use objective::{Gradient, ImportanceGradient, KlParts, Objective, ObjectiveKind};
pub use optimizer::{Adam, Optimizer, Schedule};
pub use pattern::Pattern;
pub use prior::Prior;
pub use reference::{Reference, ReferenceMetric, ReferenceRow};
pub use registered::Registered;
pub use run_id::{NUMBERS_VERSION, RunId, RunIdError};
pub use scale::{Basis, Scale};
pub use style::Style;
pub use sweep::MAX_CELLS;
pub use term::Term;
pub use text::{duration, hexadecimal, listed, thousands};
pub use training::{Keep, Precision, Training};
