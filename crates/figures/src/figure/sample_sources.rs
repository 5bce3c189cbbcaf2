//! Decoded draws of z from the prior, the aggregate posterior and a mixture fitted to the latents: a row or more for each.

use super::facets::{self, Along};
use super::rows::{Block, Layout, Row, pages};
use super::{Pages, with_arrays};
use crate::arrays::Arrays;
use crate::notes;
use crate::records::Group;
use crate::tiles::Images;

const PRIOR: &str = "prior";
const AGGREGATE: &str = "aggregate posterior";
const MIXTURE: &str = "latent mixture";
/// About how many rows all models together may have.
const MAX_ROWS: usize = 12;
/// The most rows of one source.
const MAX_ROWS_EACH: usize = 3;

/// Where z came from, and what was decoded from it.
struct Drawn<'a> {
    name: &'static str,
    images: &'a Images,
}

/// What one model has stored, in the order of the rows.
fn sources(arrays: &Arrays) -> Vec<Drawn<'_>> {
    let all = [
        (PRIOR, Some(&arrays.samples)),
        (AGGREGATE, arrays.samples_aggregate.as_ref()),
        (MIXTURE, arrays.samples_mixture.as_ref()),
    ];
    let is_there = |images: &&Images| images.n > 0;
    all.into_iter().filter_map(|(name, images)| Some(Drawn { name, images: images.filter(is_there)? })).collect()
}

/// One source's images, cut into rows.
struct Rows {
    name: &'static str,
    rows: Vec<Images>,
}

impl Rows {
    fn of(source: &Drawn<'_>, columns: usize, n_rows: usize) -> Rows {
        let row = |start: usize| source.images.pick(&(start..start + columns).collect::<Vec<_>>());
        Rows { name: source.name, rows: (0..source.images.n).step_by(columns).take(n_rows).map(row).collect() }
    }

    /// The first row is labelled.
    fn part(&self) -> Vec<Row<'_>> {
        let label = |index: usize| if index == 0 { self.name.to_owned() } else { String::new() };
        self.rows.iter().enumerate().map(|(index, images)| Row { label: label(index), images }).collect()
    }
}

pub fn draw(groups: &[&Group]) -> Pages {
    let groups: Vec<&Group> = with_arrays(groups)?;
    let found: Vec<(&Group, Vec<Drawn<'_>>)> =
        groups.iter().filter_map(|group| Some((*group, sources(group.arrays()?.1)))).collect();
    let all = || found.iter().flat_map(|(_, sources)| sources);
    let Some(first) = all().find(|source| source.name != PRIOR) else {
        return Err("the finished runs have stored samples from no other source than the prior".to_owned());
    };
    let along = Along::choose(&groups);
    let layout = Layout::of(first.images, [PRIOR, AGGREGATE, MIXTURE]);
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
            title: if groups.len() > 1 { facets::title(group, &groups, &along) } else { String::new() },
            parts: rows.iter().map(Rows::part).collect(),
        })
        .collect();
    let has = |wanted: &str| all().any(|source| source.name == wanted);
    let caption = format!(
        "Decoder means of z drawn from the model's prior{}{}{}, {}.",
        if has(AGGREGATE) { ", from the aggregate posterior (z ~ q(z|x) of random training images x)" } else { "" },
        if has(MIXTURE) { ", and from a Gaussian mixture fitted to latent means" } else { "" },
        if groups.len() == 1 { format!("; {}", facets::shared(&groups)) } else { String::new() },
        notes::seed_of_arrays(&groups)
    );
    Ok(pages(&blocks, &layout, &caption))
}
