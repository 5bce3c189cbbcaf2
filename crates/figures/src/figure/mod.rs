//! The kinds of figures: each takes the records' numbers and gives drawings, or says why it makes no sense for them.

mod denoising;
mod elbo_by_latent_dim;
mod facets;
mod grid;
mod interpolations;
mod kl_per_dim;
mod labels;
mod latent_scatter;
mod loss_curves;
mod manifold;
mod rate_distortion;
mod reconstructions;
mod rows;
mod sample_sources;
mod samples;
mod sharpness;

use spec::{FigureKind, Scale};

use crate::drawing::Drawing;
use crate::notes;
use crate::records::{Group, Records};

/// The tallest figure, in points; what does not fit goes on to another file.
const PAGE: f64 = 560.0;
/// The most files of one kind and scale.
const MAX_FILES: usize = 6;

/// One figure: a drawing with what is said about it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its files' name without a suffix: `loss-curves`, or `loss-curves-bernoulli-2`.
    pub name: String,
    /// What one sees, with units.
    pub caption: String,
    /// The marks.
    pub drawing: Drawing,
}

/// Draws one kind of figure: one or more files, or a reason why there is none.
pub fn figures(kind: FigureKind, records: &Records) -> Result<Vec<Figure>, String> {
    let draw = match kind {
        FigureKind::LossCurves => loss_curves::draw,
        FigureKind::Reconstructions => reconstructions::draw,
        FigureKind::Samples => samples::draw,
        FigureKind::Manifold => manifold::draw,
        FigureKind::LatentScatter => latent_scatter::draw,
        FigureKind::ElboByLatentDim => elbo_by_latent_dim::draw,
        FigureKind::KlPerDim => kl_per_dim::draw,
        FigureKind::RateDistortion => rate_distortion::draw,
        FigureKind::SampleSources => sample_sources::draw,
        FigureKind::Interpolations => interpolations::draw,
        FigureKind::Denoising => denoising::draw,
        FigureKind::Sharpness => sharpness::draw,
    };
    let scales = records.scales();
    let mut figures = Vec::new();
    let mut reason = String::from("there are no finished runs");
    for (scale, groups) in &scales {
        match draw(groups) {
            Ok(pages) => figures.extend(name(kind, *scale, scales.len(), pages, records)),
            Err(why) => reason = why,
        }
    }
    if figures.is_empty() { Err(reason) } else { Ok(figures) }
}

/// A drawing with its caption, before it has a name.
struct Page {
    drawing: Drawing,
    caption: String,
}

type Pages = Result<Vec<Page>, String>;

fn name(kind: FigureKind, scale: Scale, n_scales: usize, mut pages: Vec<Page>, records: &Records) -> Vec<Figure> {
    let total = pages.len();
    pages.truncate(MAX_FILES);
    let shown = pages.len();
    let finish = |(index, page): (usize, Page)| {
        let mut name = kind.name().to_owned();
        if n_scales > 1 {
            name = format!("{name}-{}", scale.as_str());
        }
        if shown > 1 {
            name = format!("{name}-{}", index + 1);
        }
        let mut caption = format!("{}{} Likelihood scale: {}.", page.caption, notes::missing(records), scale.as_str());
        if total > 1 {
            caption = format!("{caption} Part {} of {total}", index + 1);
            caption.push_str(if total > shown { "; the later parts are not drawn." } else { "." });
        }
        Figure { name, caption, drawing: page.drawing }
    };
    pages.into_iter().enumerate().map(finish).collect()
}

/// At most `n` of `items`, evenly spaced, first and last included.
fn spread<T: Clone>(items: &[T], n: usize) -> Vec<T> {
    if items.len() <= n {
        return items.to_vec();
    }
    (0..n).map(|i| items[(i * (items.len() - 1) + (n - 1) / 2) / (n - 1).max(1)].clone()).collect()
}

/// Groups whose run has arrays, or why there is nothing to show.
fn with_arrays<'a>(groups: &[&'a Group]) -> Result<Vec<&'a Group>, String> {
    let found: Vec<&Group> = groups.iter().copied().filter(|group| group.arrays().is_some()).collect();
    if found.is_empty() { Err("no finished run has stored arrays".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_keeps_both_ends() {
        let items: Vec<usize> = (0..20).collect();
        let some = spread(&items, 5);
        assert_eq!((some.len(), some[0], some[4]), (5, 0, 19));
        assert_eq!(spread(&items[..3], 5), [0, 1, 2]);
    }
}
