//! The kinds of figures: each takes the records' numbers and gives drawings, or says why it makes no sense for them.

mod blur;
mod blur_by_latent_dim;
mod blur_grid;
mod by_latent_dim;
mod claims;
mod closed_form;
mod denoising;
mod elbo_by_latent_dim;
mod explained_power;
pub(crate) mod facets;
mod grid;
mod interpolations;
mod kl_per_dim;
pub(crate) mod labels;
mod latent_scatter;
mod loss_curves;
mod manifold;
#[cfg(test)]
pub mod random;
mod rate_distortion;
mod reconstructions;
pub(crate) mod rows;
mod sample_sources;
mod samples;
mod sharpness;
mod spectra;
mod stacks;
mod through_betas;

use spec::FigureKind;

use crate::drawing::{Drawing, Mark, Paper};
use crate::notes;
use crate::records::{Group, Part, Records, phrase_shared};
use crate::setting::GroupKey;

/// The most files of one kind and part.
const MAX_FILES: usize = 6;

/// One figure: a drawing with what is said about it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its files' name without a suffix: `loss-curves`, or `loss-curves-bernoulli-2`.
    pub name: String,
    /// What one sees, with units, and which groups are left out for which reason.
    pub caption: String,
    /// The marks.
    pub drawing: Drawing,
}

/// What a kind of figure makes of some groups: each of them is on a page or left out with a reason.
struct Pages {
    pages: Vec<Page>,
    left_out: Vec<LeftOut>,
}

/// The pages, or a reason why there are none.
type Drawn = Result<Pages, String>;

/// A drawing with its caption, before it has a name.
struct Page {
    drawing: Drawing,
    caption: String,
    shown: Vec<Shown>,
}

/// A group on a page.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    group: GroupKey,
    /// The texts on the page that tell it from the others there: a row's label, a line's in the legend.
    called: Vec<String>,
}

impl Shown {
    fn new(group: &Group, called: impl IntoIterator<Item = String>) -> Shown {
        Shown { group: group.key.clone(), called: called.into_iter().filter(|text| !text.is_empty()).collect() }
    }
}

/// A group that a figure does not show.
#[derive(Clone, Debug, PartialEq)]
struct LeftOut {
    group: GroupKey,
    /// What is wanting: `no KL`.
    why: String,
}

/// The groups that a figure is to show; one that it cannot show is left out with a reason, and the caption names it.
struct Choice<'a> {
    groups: Vec<&'a Group>,
    left_out: Vec<LeftOut>,
    /// What they are shown on.
    paper: Paper,
}

impl<'a> Choice<'a> {
    fn of(groups: &[&'a Group], paper: Paper) -> Choice<'a> {
        Choice { groups: groups.to_vec(), left_out: Vec::new(), paper }
    }

    /// Leaves out the groups that are not `wanted`, for want of what `why` says: `no KL`.
    fn leave_out(&mut self, why: &str, wanted: impl Fn(&Group) -> bool) {
        let (kept, others): (Vec<&Group>, Vec<&Group>) = self.groups.iter().partition(|group| wanted(group));
        self.groups = kept;
        self.left_out.extend(others.into_iter().map(|group| LeftOut { group: group.key.clone(), why: why.to_owned() }));
    }

    /// As [`Choice::leave_out`]; an error `none` where no group is left.
    fn keep(&mut self, why: &str, none: &str, wanted: impl Fn(&Group) -> bool) -> Result<(), String> {
        self.leave_out(why, wanted);
        if self.groups.is_empty() { Err(none.to_owned()) } else { Ok(()) }
    }

    /// Leaves out groups whose run has stored no arrays.
    fn keep_with_arrays(&mut self) -> Result<(), String> {
        self.keep("no stored arrays", "no finished run has stored arrays", |group| group.arrays().is_some())
    }

    /// The pages, with what is not on them.
    fn into_pages(self, pages: Vec<Page>) -> Pages {
        Pages { pages, left_out: self.left_out }
    }
}

/// What is drawn of one kind of figure.
struct Made<'a> {
    /// By part, its files.
    parts: Vec<MadePart<'a>>,
    /// Which groups are on none of the pages, and why.
    left_out: Vec<LeftOut>,
}

/// The pages of groups whose numbers may stand beside each other.
struct MadePart<'a> {
    part: Part<'a>,
    pages: Vec<Page>,
    /// How many pages there would be without a limit.
    n_pages: usize,
}

/// Draws one kind of figure: one or more files, or a reason why there is none.
pub fn figures(kind: FigureKind, records: &Records, paper: Paper) -> Result<Vec<Figure>, String> {
    if kind == FigureKind::Claims {
        return claims::figures(records, paper);
    }
    let Made { parts, left_out } = make(kind, records, paper)?;
    let is_shown = |group: &&Group| !left_out.iter().any(|out| out.group == group.key);
    let remarks = format!("{}{}", not_shown(&left_out), notes::missing(records));
    let named = |part: MadePart<'_>| {
        let shown: Vec<&Group> = part.part.groups.iter().copied().filter(is_shown).collect();
        let warned = notes::warned(records, &shown, |warning| warning.concerns(kind));
        name(kind, part, &format!("{remarks}{warned}"))
    };
    Ok(parts.into_iter().flat_map(named).collect())
}

fn make(kind: FigureKind, records: &Records, paper: Paper) -> Result<Made<'_>, String> {
    let draw: fn(Choice<'_>) -> Drawn = match kind {
        // It shows claims, not groups.
        FigureKind::Claims => return Err(claims::NONE.to_owned()),
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
        FigureKind::ClosedForm => closed_form::draw,
        FigureKind::Spectra => spectra::draw,
        FigureKind::ExplainedPower => explained_power::draw,
        FigureKind::BlurGrid => blur_grid::draw,
        FigureKind::BlurByLatentDim => blur_by_latent_dim::draw,
    };
    let mut made = Made { parts: Vec::new(), left_out: Vec::new() };
    let mut reasons: Vec<String> = Vec::new();
    for part in if kind.is_in_nats() { records.by_basis() } else { records.by_dataset() } {
        match draw(Choice::of(&part.groups, paper)) {
            Ok(Pages { mut pages, left_out }) => {
                made.left_out.extend(left_out);
                let n_pages = pages.len();
                let later = pages.split_off(n_pages.min(MAX_FILES));
                let why = format!("on later parts than the first {MAX_FILES} of {n_pages}");
                made.left_out.extend(only_on(&later, &pages).map(|group| LeftOut { group, why: why.clone() }));
                made.parts.push(MadePart { part, pages, n_pages });
            }
            Err(why) => {
                let left_out = |group: &&Group| LeftOut { group: group.key.clone(), why: why.clone() };
                made.left_out.extend(part.groups.iter().map(left_out));
                if !reasons.contains(&why) {
                    reasons.push(why);
                }
            }
        }
    }
    if made.parts.is_empty() { Err(reasons.join("; ")) } else { Ok(made) }
}

/// The groups on some pages that are not on others, each once.
fn only_on(pages: &[Page], others: &[Page]) -> impl Iterator<Item = GroupKey> {
    let on =
        |pages: &[Page]| pages.iter().flat_map(|page| page.shown.clone()).map(|shown| shown.group).collect::<Vec<_>>();
    let (mut found, others): (Vec<GroupKey>, Vec<GroupKey>) = (Vec::new(), on(others));
    for group in on(pages) {
        if !others.contains(&group) && !found.contains(&group) {
            found.push(group);
        }
    }
    found.into_iter()
}

/// ` Not shown (no KL): autoencoder; gan.`, a sentence for each reason; nothing where all is shown.
fn not_shown(left_out: &[LeftOut]) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for LeftOut { group, why } in left_out {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(group.name()),
            None => reasons.push((why, vec![group.name()])),
        }
    }
    reasons.iter().map(|(why, names)| format!(" Not shown ({why}): {}.", names.join("; "))).collect()
}

/// Names and captions of a part's pages.
fn name(kind: FigureKind, MadePart { part, pages, n_pages }: MadePart<'_>, remarks: &str) -> Vec<Figure> {
    let n_shown = pages.len();
    let likelihood = phrase_shared(&part.groups);
    let basis = match (kind.is_in_nats(), part.suffix.is_empty(), likelihood.is_empty()) {
        (true, true, _) | (true, false, true) => format!(" Likelihood scale: {}.", part.basis),
        (true, false, false) => format!(" Likelihood scale: {} ({likelihood}).", part.basis),
        (false, true, _) => String::new(),
        (false, false, _) => format!(" Images: {}.", part.basis),
    };
    let is_cut =
        |page: &Page| page.drawing.marks.iter().any(|mark| matches!(mark, Mark::Image { sheet, .. } if sheet.is_cut));
    let finish = |(index, page): (usize, Page)| {
        let cut = if is_cut(&page) { " Values below 0 are drawn black, those above 1 white." } else { "" };
        let number = if n_shown > 1 { format!("-{}", index + 1) } else { String::new() };
        let of = if n_pages > 1 { format!(" Part {} of {n_pages}.", index + 1) } else { String::new() };
        let name = format!("{}{}{number}", kind.name(), part.suffix);
        Figure { name, caption: format!("{}{cut}{remarks}{basis}{of}", page.caption), drawing: page.drawing }
    };
    pages.into_iter().enumerate().map(finish).collect()
}

/// At most `n` of `items`, evenly spaced, first and last included.
pub(crate) fn spread<T: Clone>(items: &[T], n: usize) -> Vec<T> {
    if items.len() <= n {
        return items.to_vec();
    }
    (0..n).map(|i| items[(i * (items.len() - 1) + (n - 1) / 2) / (n - 1).max(1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::drawing::Anchor;
    use crate::setting::{BETA, LATENT_DIM};

    /// All that is written on a page, without the spaces at which it was broken into lines.
    fn written(page: &Page) -> String {
        let texts = page.drawing.marks.iter().filter_map(|mark| match mark {
            Mark::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        squeezed(&texts.chain([page.caption.as_str()]).collect::<String>())
    }

    /// The texts that leave the page, or stand above or below it.
    fn clipped(drawing: &Drawing) -> Vec<&str> {
        let is_inside = |text: &str, (x, y): crate::drawing::Point, size: f64, anchor: Anchor, upright: bool| {
            let long = crate::font::width(text, size);
            let (before, behind) = match anchor {
                Anchor::Start => (0.0, long),
                Anchor::Middle => (long / 2.0, long / 2.0),
                Anchor::End => (long, 0.0),
            };
            let tall = 0.7 * size;
            match upright {
                true => {
                    y - behind >= 0.0 && y + before <= drawing.height && x - tall >= 0.0 && x <= drawing.paper.width
                }
                false => {
                    x - before >= 0.0 && x + behind <= drawing.paper.width && y - tall >= 0.0 && y <= drawing.height
                }
            }
        };
        let clipped = drawing.marks.iter().filter_map(|mark| match mark {
            Mark::Text { at, text, size, anchor, upright, .. } if !is_inside(text, *at, *size, *anchor, *upright) => {
                Some(text.as_str())
            }
            _ => None,
        });
        clipped.collect()
    }

    /// The pages of all presets.
    fn papers() -> [Paper; 3] {
        ["neurips", "icml", "slides"].map(|name| Paper::of(&spec::Style::preset(name).unwrap_or_default()))
    }

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_figure_shows_each_group_or_names_it_and_why(cells in prop::collection::vec(random::cell(), 1..24)) {
            let records = random::records(&cells);
            for (&kind, paper) in FigureKind::ALL.iter().flat_map(|kind| papers().map(|paper| (kind, paper))) {
                let Ok(made) = make(kind, &records, paper) else { continue };
                let captions: Vec<String> =
                    figures(kind, &records, paper).into_iter().flatten().map(|figure| figure.caption).collect();
                for group in &records.groups {
                    let shown = made.parts.iter().flat_map(|part| &part.pages).flat_map(|page| &page.shown);
                    let is_shown = shown.clone().any(|shown| shown.group == group.key);
                    let left_out: Vec<&LeftOut> = made.left_out.iter().filter(|out| out.group == group.key).collect();
                    prop_assert_eq!(usize::from(is_shown) + left_out.len(), 1, "{} and {}", kind, group.key.name());
                    for LeftOut { group, why } in left_out {
                        let names = |caption: &String| caption.contains(why) && caption.contains(&group.name());
                        prop_assert!(captions.iter().all(names), "{} does not name {}: {}", kind, group.name(), why);
                    }
                }
            }
        }

        #[test]
        fn no_mark_stands_for_two_groups_and_no_text_is_cut(cells in prop::collection::vec(random::cell(), 1..24)) {
            let records = random::records(&cells);
            for (&kind, paper) in FigureKind::ALL.iter().flat_map(|kind| papers().map(|paper| (kind, paper))) {
                let Ok(made) = make(kind, &records, paper) else { continue };
                for part in &made.parts {
                    let mut known: BTreeMap<&[String], &GroupKey> = BTreeMap::new();
                    for page in &part.pages {
                        let written = written(page);
                        prop_assert_eq!(clipped(&page.drawing), Vec::<&str>::new(), "of {}", kind);
                        let is_cut = |mark: &Mark| matches!(mark, Mark::Text { text, .. } if text.contains('…'));
                        prop_assert!(!page.drawing.marks.iter().any(is_cut), "{} cuts a text: {}", kind, written);
                        for Shown { group, called } in &page.shown {
                            let other = known.insert(called, group).unwrap_or(group);
                            prop_assert!(other == group, "{} has {:?} for {} and {}", kind, called, other.name(), group.name());
                            let absent = called.iter().find(|text| !written.contains(&squeezed(text)));
                            prop_assert_eq!(absent, None, "{} does not say it: {}", kind, written);
                            let all = called.join(" ");
                            for (path, symbol) in [(BETA, "β = "), (LATENT_DIM, "D = ")] {
                                let cell = &records.groups.iter().find(|one| one.key == *group).map(|one| &one.cell);
                                let has = cell.is_some_and(|cell| cell.has(path));
                                prop_assert!(has || !all.contains(symbol), "{} says {:?} of {}", kind, called, group.name());
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn spread_keeps_both_ends() {
        let items: Vec<usize> = (0..20).collect();
        let some = spread(&items, 5);
        assert_eq!((some.len(), some[0], some[4]), (5, 0, 19));
        assert_eq!(spread(&items[..3], 5), [0, 1, 2]);
    }
}
