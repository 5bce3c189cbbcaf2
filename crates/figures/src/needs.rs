//! What figures, tables and the report read of an experiment's runs: for packs, which hold that and nothing else.

use std::collections::BTreeSet;

use record::{ArrayName, PackedRun, Status, Store};
use spec::{Cell, Experiment, FigureKind, Likelihood, RunId, SharedVariance};

use crate::error::FiguresError;
use crate::setting::{GroupKey, keys};

/// The tensor in model.safetensors that is the logarithm of a learned σ.
pub const LOG_SIGMA: &str = "likelihood.log_sigma";

/// What is read of each finished run, in the order of the experiment: of the runs whose pictures are drawn the arrays that its kinds
/// of figures show, of those that learn a σ that parameter.
///
/// # Errors
/// If a run cannot be looked at.
pub fn needs(experiment: &Experiment, store: &Store) -> Result<Vec<PackedRun>, FiguresError> {
    let pictured = pictured(experiment, store)?;
    // The size of images is read off their samples, which every file of arrays has.
    let shown = experiment.figures.iter().flat_map(|kind| shown(*kind).iter().copied());
    let shown: BTreeSet<ArrayName> = shown.chain([ArrayName::Samples]).collect();
    let mut runs = Vec::new();
    for cell in &experiment.cells {
        let id = cell.run_id();
        if store.run(&id).status()? == Status::Done {
            let arrays = if pictured.contains(&id) { shown.clone() } else { BTreeSet::new() };
            let tensors = if learns_sigma(cell) { vec![LOG_SIGMA.to_owned()] } else { Vec::new() };
            runs.push(PackedRun { id, arrays, tensors });
        }
    }
    Ok(runs)
}

/// The arrays that a kind of figure shows.
fn shown(kind: FigureKind) -> &'static [ArrayName] {
    use ArrayName::{
        Corrupted, Denoised, InterpolationAngle, InterpolationEnds, InterpolationLinear, InterpolationSpherical,
        LatentMean, Manifold, ManifoldZ1, ManifoldZ2, Originals, Reconstructions, Samples, SamplesAggregate,
        SamplesMixture,
    };
    match kind {
        FigureKind::Reconstructions | FigureKind::BlurGrid => &[Originals, Reconstructions],
        FigureKind::Samples => &[Samples],
        FigureKind::Manifold => &[Manifold, ManifoldZ1, ManifoldZ2],
        FigureKind::LatentScatter => &[LatentMean],
        FigureKind::SampleSources => &[Samples, SamplesAggregate, SamplesMixture],
        FigureKind::Interpolations => {
            &[InterpolationEnds, InterpolationAngle, InterpolationLinear, InterpolationSpherical]
        }
        FigureKind::Denoising => &[Originals, Corrupted, Denoised],
        FigureKind::Claims
        | FigureKind::LossCurves
        | FigureKind::ElboByLatentDim
        | FigureKind::KlPerDim
        | FigureKind::RateDistortion
        | FigureKind::Sharpness
        | FigureKind::ClosedForm
        | FigureKind::Spectra
        | FigureKind::ExplainedPower
        | FigureKind::BlurByLatentDim => &[],
    }
}

/// The runs whose images and latents are drawn: of those that differ in their seed alone, the finished one of the smallest seed.
pub fn pictured(experiment: &Experiment, store: &Store) -> Result<BTreeSet<RunId>, FiguresError> {
    let mut chosen: Vec<(GroupKey, u64, RunId)> = Vec::new();
    for (cell, key) in experiment.cells.iter().zip(keys(&experiment.cells)) {
        let (seed, id) = (cell.training.seed, cell.run_id());
        if store.run(&id).status()? != Status::Done {
            continue;
        }
        match chosen.iter_mut().find(|(other, ..)| *other == key) {
            Some((_, smallest, first)) if seed < *smallest => (*smallest, *first) = (seed, id),
            Some(_) => {}
            None => chosen.push((key, seed, id)),
        }
    }
    Ok(chosen.into_iter().map(|(.., id)| id).collect())
}

/// Whether one σ of all pixels is trained with the other parameters.
pub fn learns_sigma(cell: &Cell) -> bool {
    cell.model.likelihood == Likelihood::GaussianShared { variance: SharedVariance::Learned }
}
