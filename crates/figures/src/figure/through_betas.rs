//! Lines through the β of whatever else differs, for one quantity against another.

use super::facets::{self, Along, Facet, MAX_LINES};
use super::{Choice, Shown};
use crate::axis::number;
use crate::colour::{self, Colour};
use crate::legend::{LegendEntry, Swatch};
use crate::marker::Marker;
use crate::records::{Group, numbers};
use crate::setting::{BETA, LATENT_DIM};

/// One line: its look and its groups by β.
pub struct BetaLine<'a> {
    /// For the legend.
    pub label: String,
    pub colour: Colour,
    pub marker: Marker,
    /// All have a β.
    pub groups: Vec<&'a Group>,
    pub shown: Vec<Shown>,
}

/// The lines of one page.
pub struct BetaPage<'a> {
    /// What its models share; empty where there is one page.
    pub label: String,
    /// Its groups, in order.
    pub groups: Vec<&'a Group>,
    pub lines: Vec<BetaLine<'a>>,
}

/// All lines on one page where there is room for as many, else a page for each of the other settings.
pub fn pages<'a>(choice: &mut Choice<'a>) -> Result<Vec<BetaPage<'a>>, String> {
    choice.keep("no β", "no finished run has a β", |group| group.number(BETA).is_some())?;
    if let [beta] = numbers(&choice.groups, BETA).as_slice() {
        return Err(format!("there is a single β ({})", number(*beta)));
    }
    let (beta, latent_dim) = (Along::path(BETA), Along::path(LATENT_DIM));
    let is_one = facets::rows(&choice.groups, std::slice::from_ref(&beta)).len() <= MAX_LINES;
    if !is_one {
        facets::thin(choice, &latent_dim);
    }
    let groups = choice.groups.as_slice();
    let facets = match is_one {
        true => vec![Facet { label: String::new(), groups: groups.to_vec() }],
        false => facets::rows(groups, &[beta.clone(), latent_dim]),
    };
    let page =
        |facet: Facet<'a>| BetaPage { lines: lines(&facet, &beta, groups), label: facet.label, groups: facet.groups };
    Ok(facets.into_iter().map(page).collect())
}

impl BetaPage<'_> {
    /// A sentence of a caption: ` Each line runs through β = 0.5, 1, 4.`
    pub fn sentence(&self) -> String {
        match betas(self.lines.iter().map(|line| line.groups.as_slice())) {
            Some(betas) => format!(" Each line runs through β = {betas}."),
            None => " Lines run through the β of models that share all else.".to_owned(),
        }
    }

    /// One for each line.
    pub fn entries(&self) -> Vec<LegendEntry> {
        let swatch = |line: &BetaLine<'_>| match line.groups.len() {
            1 => Swatch::Marker(line.colour, line.marker),
            _ => Swatch::Marked(line.colour, line.marker),
        };
        self.lines.iter().map(|line| LegendEntry::new(swatch(line), line.label.clone())).collect()
    }

    /// Which groups are on the page.
    pub fn shown(&self) -> Vec<Shown> {
        self.lines.iter().flat_map(|line| line.shown.clone()).collect()
    }
}

/// The lines of a page; one that is alone is called by what its models share.
fn lines<'a>(facet: &Facet<'a>, beta: &Along, all: &[&Group]) -> Vec<BetaLine<'a>> {
    let rows = facets::rows(&facet.groups, std::slice::from_ref(beta));
    let latent_dim = Along::path(LATENT_DIM);
    // Only the latent dimension tells the lines apart: they have the looks that they have on other pages.
    let is_quantity = Along::others(&facet.groups, &[]).is_empty();
    let styles = facets::styles(all, &latent_dim);
    let of = |group: &Group| group.number(BETA).unwrap_or_default();
    let by_beta = |row: &Facet<'a>| {
        let mut groups = row.groups.clone();
        groups.sort_by(|a, b| of(a).total_cmp(&of(b)));
        groups
    };
    let shares_betas = betas(rows.iter().map(by_beta)).is_some();
    let one = |(index, row): (usize, &Facet<'a>)| {
        let style = styles.iter().find(|style| is_quantity && style.level == latent_dim.level(row.groups[0]));
        let (colour, marker) =
            style.map_or((colour::category(index), Marker::of(index)), |style| (style.colour, style.marker));
        let groups = by_beta(row);
        let label = if rows.len() > 1 { row.label.clone() } else { facets::shared(&facet.groups) };
        let label = match betas([&groups]) {
            Some(betas) if !shares_betas => format!("{label} (β = {betas})"),
            _ => label,
        };
        let shown =
            groups.iter().map(|group| Shown::new(group, [facet.label.clone(), label.clone(), number(of(group))]));
        BetaLine { shown: shown.collect(), label, colour, marker, groups }
    };
    rows.iter().enumerate().map(one).collect()
}

/// The β of a line's points, where all lines have the same: `0.5, 1, 4`.
fn betas<'g>(lines: impl IntoIterator<Item = impl AsRef<[&'g Group]>>) -> Option<String> {
    let of = |groups: &[&Group]| {
        groups.iter().map(|group| number(group.number(BETA).unwrap_or_default())).collect::<Vec<_>>().join(", ")
    };
    let mut lines = lines.into_iter().map(|groups| of(groups.as_ref()));
    let first = lines.next()?;
    lines.all(|line| line == first).then_some(first)
}
