//! Decoded draws of z from the prior, the aggregate posterior and a mixture fitted to the latents: a row or more for each.

use record::ArrayName;

use super::facets::{self, Along};
use super::rows::{Block, Row, RowLayout, pages};
use super::samples::DrawnFrom;
use super::{Choice, Drawn};
use crate::notes;
use crate::records::Group;
use crate::tiles::ImageStack;

const PRIOR: &str = "prior";
const AGGREGATE: &str = "aggregate posterior";
const MIXTURE: &str = "latent mixture";
/// About how many rows all models together may have.
const MAX_ROWS: usize = 12;
/// The most rows of one source.
const MAX_ROWS_EACH: usize = 3;

/// Where z came from, and what was decoded from it.
struct Source<'a> {
    name: &'static str,
    images: &'a ImageStack,
}

/// What one model has stored, in the order of the rows.
fn sources(group: &Group) -> Vec<Source<'_>> {
    let all =
        [(PRIOR, ArrayName::Samples), (AGGREGATE, ArrayName::SamplesAggregate), (MIXTURE, ArrayName::SamplesMixture)];
    all.into_iter().filter_map(|(name, array)| Some(Source { name, images: group.images(array)? })).collect()
}

/// One source's images, cut into rows.
struct Rows {
    name: &'static str,
    rows: Vec<ImageStack>,
}

impl Rows {
    fn of(source: &Source<'_>, columns: usize, n_rows: usize) -> Rows {
        let row = |start: usize| source.images.pick(&(start..start + columns).collect::<Vec<_>>());
        Rows { name: source.name, rows: (0..source.images.n).step_by(columns).take(n_rows).map(row).collect() }
    }

    /// The first row is labelled.
    fn part<'a>(&'a self, group: &'a Group) -> Vec<Row<'a>> {
        let label = |index: usize| if index == 0 { self.name.to_owned() } else { String::new() };
        let row = |(index, images)| Row { label: label(index), group: Some(group), images };
        self.rows.iter().enumerate().map(row).collect()
    }
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let groups = choice.groups.as_slice();
    let found: Vec<(&Group, Vec<Source<'_>>)> = groups.iter().map(|group| (*group, sources(group))).collect();
    let all = || found.iter().flat_map(|(_, sources)| sources);
    let Some(first) = all().find(|source| source.name != PRIOR) else {
        return Err("the finished runs have stored samples from no other source than the prior".to_owned());
    };
    let along = Along::choose(groups);
    let layout = RowLayout::of(choice.paper, first.images, [PRIOR, AGGREGATE, MIXTURE]);
    // As many rows as every source fills, so that there is as much of each to see.
    let n_full = all().map(|source| source.images.n / layout.columns).min().unwrap_or(1);
    let n_rows = (MAX_ROWS / (3 * groups.len())).min(n_full).clamp(1, MAX_ROWS_EACH);
    let rows: Vec<Vec<Rows>> = found
        .iter()
        .map(|(_, sources)| sources.iter().map(|source| Rows::of(source, layout.columns, n_rows)).collect())
        .collect();
    let blocks: Vec<Block<'_>> = found
        .iter()
        .zip(&rows)
        .map(|((group, _), rows)| Block {
            head: Vec::new(),
            title: if groups.len() > 1 { facets::title(group, groups, &along) } else { String::new() },
            parts: rows.iter().map(|rows| rows.part(group)).collect(),
        })
        .collect();
    let has = |wanted: &str| all().any(|source| source.name == wanted);
    let has_no_prior = |group: &&Group| DrawnFrom::of(&group.cell) == DrawnFrom::NoPrior;
    let caption = format!(
        "Decoder means of z drawn from the model's prior{}{}{}{}, {}.{}",
        match (groups.iter().any(has_no_prior), groups.iter().all(has_no_prior)) {
            (_, true) => " (N(0, I): autoencoders have none)",
            (true, false) => " (N(0, I) for autoencoders, which have none)",
            (false, _) => "",
        },
        match (has(AGGREGATE), groups.iter().any(has_no_prior)) {
            (true, false) => ", from the aggregate posterior (z ~ q(z|x) of random training images x)",
            (true, true) => {
                ", from the aggregate posterior (z ~ q(z|x) of random training images x; an autoencoder's codes of them)"
            }
            (false, _) => "",
        },
        if has(MIXTURE) { ", and from a Gaussian mixture fitted to latent means" } else { "" },
        if groups.len() == 1 { format!("; {}", facets::shared(groups)) } else { String::new() },
        notes::seed_of_arrays(groups),
        notes::clipped(groups),
    );
    let pages = pages(&blocks, &layout, &caption);
    Ok(choice.into_pages(pages))
}
