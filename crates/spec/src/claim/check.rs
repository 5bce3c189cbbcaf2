//! Whether an experiment's cells can answer its claims.

use std::collections::BTreeSet;

use super::read::Place;
use super::{Claim, ClaimPart, Comparison, Conditions, Contrast};
use crate::cell::Cell;
use crate::diagnostic::Problem;
use crate::difference::differing_paths;
use crate::experiment::Arm;
use crate::metric::{Metric, Unit};
use crate::node::Node;
use crate::run_id::RunId;
use crate::scale::Scale;
use crate::suggest;

/// What is wrong with claims that are well written: about cells that are not there, or that cannot be compared; one problem each.
pub(crate) fn check_cells(
    tree: &Node,
    claims: &[Claim],
    is_evaluated: &dyn Fn(&RunId) -> bool,
    cells: &[Cell],
    arms: &[Arm],
) -> Vec<Problem> {
    let has_parts = |n: usize| Place::of(tree, n, None).has_parts();
    let parts = claims.iter().enumerate().flat_map(|(n, claim)| claim.parts.iter().enumerate().map(move |p| (n, p)));
    let mut problems = Vec::new();
    for (n, (m, part)) in parts {
        let place = Place::of(tree, n, has_parts(n).then_some(m));
        let checker = Checker { place, id: &claims[n].id, part, is_evaluated, cells, arms };
        problems.extend(part.comparisons().iter().try_for_each(|one| checker.check(one)).err());
    }
    problems
}

struct Checker<'a> {
    place: Place<'a>,
    id: &'a str,
    part: &'a ClaimPart,
    is_evaluated: &'a dyn Fn(&RunId) -> bool,
    cells: &'a [Cell],
    arms: &'a [Arm],
}

impl Checker<'_> {
    fn check(&self, comparison: &Comparison) -> Result<(), Problem> {
        self.check_ends(&comparison.from, &comparison.to)?;
        if let Some((from, to)) = &comparison.less {
            self.check_ends(from, to)?;
        }
        self.check_sampled(self.part.metric, comparison)?;
        self.check_likelihood(self.part.metric, comparison)
    }

    fn check_ends(&self, from: &Conditions, to: &Conditions) -> Result<(), Problem> {
        let is_chain = matches!(self.part.contrast, Contrast::Along { .. });
        let field = |end: &'static str| if is_chain { "along" } else { end };
        let (a, b) = (self.group(from, field("from"))?, self.group(to, field("to"))?);
        let (Some(first), Some(second)) = (a.first(), b.first()) else { return Ok(()) };
        if a == b && from.settings == to.settings {
            let message = format!("the claim `{}` compares cells with themselves", self.id);
            return Err(self.place.problem(field("to"), message).hint("say in `from` and `to` what differs"));
        }
        let is_in_nats = self.part.metric.about().unit == Unit::Nats;
        if is_in_nats && first.basis() != second.basis() {
            let (one, other) = (first.basis(), second.basis());
            let on = |basis: &crate::scale::Basis| format!("{}, {}", basis.scale, basis.images);
            let message = format!("the claim `{}` compares nats on {} with nats on {}", self.id, on(&one), on(&other));
            let hint = "numbers on different scales or images do not compare; take a metric that is not in nats, such as `psnr`";
            return Err(self.place.problem(field("to"), message).hint(hint));
        }
        Ok(())
    }

    /// Refuses what importance sampling estimates where it is not asked for.
    fn check_sampled(&self, metric: Metric, comparison: &Comparison) -> Result<(), Problem> {
        if !matches!(metric, Metric::Nll | Metric::PseudoNll | Metric::EffectiveSamples) {
            return Ok(());
        }
        if self.meant(comparison).all(|cell| (self.is_evaluated)(&cell.run_id())) {
            return Ok(());
        }
        let message = format!("`{metric}` is estimated by importance sampling, which this experiment does not ask for");
        let of = if self.arms.is_empty() { "" } else { " to the file or to the arm" };
        Err(self.place.problem("metric", message).hint(format!("add `evaluation: {{ importance_samples: 5000 }}`{of}")))
    }

    /// Refuses `nll` where there is no likelihood, and `pseudo_nll` where there is one.
    fn check_likelihood(&self, metric: Metric, comparison: &Comparison) -> Result<(), Problem> {
        let of_scale = match metric {
            Metric::Nll | Metric::PseudoNll => Scale::nll,
            Metric::NllQuadrature | Metric::PseudoNllQuadrature => Scale::nll_quadrature,
            _ => return Ok(()),
        };
        match self.meant(comparison).map(Cell::scale).find(|scale| of_scale(*scale) != metric) {
            None => Ok(()),
            Some(scale) => {
                let message = format!("the claim `{}` is about `{metric}`, which models on {scale} have not", self.id);
                Err(self.place.problem("metric", message).hint(format!("write `metric: {}`", of_scale(scale))))
            }
        }
    }

    /// The cells of all ends.
    fn meant(&self, comparison: &Comparison) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| comparison.ends().any(|end| end.hold(cell, self.arms)))
    }

    /// The cells of one side: some, which differ in their seed alone, and in the path that another metric is matched along.
    fn group(&self, conditions: &Conditions, field: &'static str) -> Result<Vec<Cell>, Problem> {
        if let Some(label) = &conditions.arm
            && !self.arms.iter().any(|arm| arm.label == *label)
        {
            let labels: Vec<&str> = self.arms.iter().map(|arm| arm.label.as_str()).collect();
            let hint = match labels.as_slice() {
                [] => "add `arms`, or leave `arm` out".to_owned(),
                labels => suggest::hint(label, labels, "its arms are"),
            };
            let field = if self.place.says(field, "arm") { field } else { "of" };
            return Err(self.place.problem(field, format!("there is no arm `{label}`")).hint(hint));
        }
        let meant: Vec<Cell> = self.cells.iter().filter(|cell| conditions.hold(cell, self.arms)).cloned().collect();
        if meant.is_empty() {
            let hint = match self.absent(conditions) {
                Some((path, values)) => format!("`{path}` is {values} here"),
                None => "no cell has all of these together; `elbo plan` shows the cells".to_owned(),
            };
            let words = conditions.words();
            return Err(self
                .place
                .problem(field, format!("the claim `{}` is about no cell of this experiment: {words}", self.id))
                .hint(hint));
        }
        let mut differing = differing_paths(&meant);
        let along = self.part.at.as_ref().map(|at| at.along.as_str());
        if let Some(along) = along.filter(|along| !differing.iter().any(|path| path == along)) {
            let message = format!("the claim `{}` is matched along `{along}`, of which an end has one value", self.id);
            let hint = "leave the path out of `of`, `from` and `to`, and sweep over it; or leave `at` out";
            return Err(self.place.problem("at", message).hint(hint));
        }
        differing.retain(|path| !self.part.may_differ(path));
        match differing.first() {
            None => Ok(meant),
            Some(path) => {
                let message = format!("the claim `{}` is about cells that differ in `{path}`", self.id);
                let hint = format!("pick one by `of: {{ {path}: … }}`; its values here are {}", values(&meant, path));
                Err(self.place.problem(field, message).hint(hint))
            }
        }
    }

    /// A condition that no cell meets by itself, with the values that its path has.
    fn absent(&self, conditions: &Conditions) -> Option<(String, String)> {
        let alone = conditions.values.iter().find(|(path, value)| {
            let alone = [((*path).clone(), (*value).clone())].into();
            !self.cells.iter().any(|cell| super::has_values(cell, &alone))
        });
        alone.map(|(path, _)| (path.clone(), values(self.cells, path)))
    }
}

/// The values that cells have at a path, for a message.
fn values(cells: &[Cell], path: &str) -> String {
    let values: BTreeSet<String> =
        cells.iter().filter_map(|cell| cell.value_at(path)).map(|value| value.to_string()).collect();
    suggest::list(values.iter().map(String::as_str).take(12))
}
