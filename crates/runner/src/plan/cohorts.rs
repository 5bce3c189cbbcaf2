//! Which cells are trained together.
//!
//! A resumed run equals an uninterrupted one bit for bit only in the cohort it was in before: so runs that were one
//! cohort and can all go on stay one cohort, whatever its size; so do those that go on from the ends of one cohort's runs. What is left goes by the key of the spec: new runs
//! with new ones, resumable ones with those of the same epoch, narrow latents beside narrow ones (the widest sets the
//! padding), in cohorts of nearly equal size.

use std::collections::{BTreeMap, BTreeSet};

use record::Continued;
use spec::RunId;

/// Cells that are trained together as one program.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Indices in [`crate::plan::Plan::cells`].
    pub cells: Vec<usize>,
    /// Epochs that its runs have behind them, of those that have the fewest; `None` if the runs are new.
    pub resume: Option<u32>,
    /// Threads that its runs were trained with last; `None` if they are new, or it is not known.
    pub threads: Option<usize>,
}

/// A cell that is to be trained.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its index among all cells.
    pub index: usize,
    /// Its run.
    pub id: RunId,
    /// Equal for cells that may be trained together.
    pub key: String,
    /// Width of its latent space.
    pub latent_dim: usize,
    /// What it has behind it; `None` for a new run.
    pub past: Option<Past>,
}

/// What a run that goes on has behind it.
#[derive(Clone, Debug)]
pub struct Past {
    /// The run whose checkpoint it goes on from: itself, or one of fewer epochs.
    pub of: RunId,
    /// Epochs completed at that checkpoint.
    pub epoch: u32,
    /// The runs that one was trained with, itself included.
    pub cohort: Vec<RunId>,
    /// The threads that it was trained with last, where that is known.
    pub threads: Option<usize>,
}

impl Past {
    /// Where it goes on from.
    pub fn end(&self) -> Continued {
        Continued { run_id: self.of.clone(), epoch: self.epoch }
    }
}

impl Candidate {
    /// The run that it is, or goes on from.
    fn origin(&self) -> &RunId {
        self.past.as_ref().map_or(&self.id, |past| &past.of)
    }
}

/// Candidates by what they may be trained with, and by the run that each is or goes on from.
type ByOrigin<'a> = BTreeMap<(&'a str, &'a RunId), &'a Candidate>;

/// Groups cells into cohorts of at most `size` cells, in the order of their first cells.
pub fn group(candidates: &[Candidate], size: usize) -> Vec<Group> {
    let by_origin: ByOrigin<'_> =
        candidates.iter().map(|candidate| ((candidate.key.as_str(), candidate.origin()), candidate)).collect();
    let mut placed: BTreeSet<&RunId> = BTreeSet::new();
    let mut cohorts: Vec<Vec<&Candidate>> = Vec::new();
    for candidate in candidates {
        if placed.contains(&candidate.id) {
            continue;
        }
        if let Some(members) = former_cohort(candidate, &by_origin) {
            placed.extend(members.iter().map(|member| &member.id));
            cohorts.push(members);
        }
    }
    let mut groups: BTreeMap<(Option<u32>, &str), Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| !placed.contains(&candidate.id)) {
        let epoch = candidate.past.as_ref().map(|past| past.epoch);
        groups.entry((epoch, &candidate.key)).or_default().push(candidate);
    }
    for mut members in groups.into_values() {
        members.sort_by_key(|member| member.latent_dim);
        cohorts.extend(even_parts(&members, size.max(1)));
    }
    cohorts.sort_by_key(|members| members.iter().map(|member| member.index).min());
    cohorts.into_iter().map(|members| cohort(&members)).collect()
}

/// The runs that `candidate` was trained with, or those that go on from them, in their order then, if all of them go on now.
fn former_cohort<'a>(candidate: &Candidate, by_origin: &ByOrigin<'a>) -> Option<Vec<&'a Candidate>> {
    let former = &candidate.past.as_ref()?.cohort;
    let member = |id| by_origin.get(&(candidate.key.as_str(), id)).copied();
    let members: Vec<&Candidate> = former.iter().map(member).collect::<Option<_>>()?;
    let is_same = |member: &&Candidate| member.past.as_ref().is_some_and(|past| past.cohort == *former);
    (!members.is_empty() && members.iter().all(is_same)).then_some(members)
}

/// Cuts into the fewest parts of at most `size`, whose sizes differ by one at most.
fn even_parts<T: Copy>(items: &[T], size: usize) -> Vec<Vec<T>> {
    let n_parts = items.len().div_ceil(size);
    let cut = |part: usize| part * items.len() / n_parts;
    (0..n_parts).map(|part| items[cut(part)..cut(part + 1)].to_vec()).collect()
}

fn cohort(members: &[&Candidate]) -> Group {
    let epochs = members.iter().map(|member| member.past.as_ref().map(|past| past.epoch));
    Group {
        cells: members.iter().map(|member| member.index).collect(),
        resume: epochs.min().flatten(),
        threads: members.iter().filter_map(|member| member.past.as_ref()?.threads).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RunId {
        format!("{n:016x}").parse().expect("16 digits are an id")
    }

    fn new(index: usize, key: &str, latent_dim: usize) -> Candidate {
        Candidate { index, id: id(index), key: key.to_owned(), latent_dim, past: None }
    }

    fn resumable(index: usize, epoch: u32, cohort: &[usize]) -> Candidate {
        let cohort = cohort.iter().map(|&n| id(n)).collect();
        Candidate { past: Some(Past { of: id(index), epoch, cohort, threads: Some(2) }), ..new(index, "a", 2) }
    }

    /// One that goes on from the end of run `of`, which was trained with `cohort`.
    fn continuing(index: usize, of: usize, cohort: &[usize]) -> Candidate {
        let cohort = cohort.iter().map(|&n| id(n)).collect();
        Candidate { past: Some(Past { of: id(of), epoch: 5, cohort, threads: Some(2) }), ..new(index, "a", 2) }
    }

    fn groups(candidates: &[Candidate], size: usize) -> Vec<Vec<usize>> {
        group(candidates, size).into_iter().map(|cohort| cohort.cells).collect()
    }

    #[test]
    fn cells_are_grouped_by_key_and_width() {
        let cells = [new(0, "a", 20), new(1, "b", 2), new(2, "a", 2), new(3, "a", 20), new(4, "a", 2)];
        assert_eq!(groups(&cells, 2), [vec![0, 3], vec![1], vec![2, 4]]);
    }

    #[test]
    fn cohorts_are_of_nearly_equal_size() {
        let cells: Vec<Candidate> = (0..9).map(|index| new(index, "a", 2)).collect();
        assert_eq!(groups(&cells, 4), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]]);
    }

    #[test]
    fn a_former_cohort_goes_on_as_it_was() {
        let cells =
            [new(0, "a", 2), resumable(1, 5, &[3, 1, 2]), resumable(2, 5, &[3, 1, 2]), resumable(3, 4, &[3, 1, 2])];
        let found = group(&cells, 1);
        assert_eq!(found.iter().map(|cohort| cohort.cells.clone()).collect::<Vec<_>>(), [vec![0], vec![3, 1, 2]]);
        assert_eq!(found.iter().map(|cohort| cohort.resume).collect::<Vec<_>>(), [None, Some(4)]);
    }

    #[test]
    fn what_is_left_of_a_cohort_goes_with_runs_of_its_epoch() {
        // Run 9 was in the cohort and is done or gone.
        let cells =
            [resumable(0, 5, &[0, 1, 9]), resumable(1, 5, &[0, 1, 9]), resumable(2, 6, &[2, 9]), new(3, "a", 2)];
        assert_eq!(groups(&cells, 4), [vec![0, 1], vec![2], vec![3]]);
    }

    #[test]
    fn what_goes_on_from_a_cohort_is_one() {
        let former = [12, 10, 11];
        let cells =
            [continuing(0, 10, &former), new(1, "a", 2), continuing(2, 11, &former), continuing(3, 12, &former)];
        assert_eq!(groups(&cells, 1), [vec![3, 0, 2], vec![1]]);
        // Without one of them they are no longer that cohort.
        assert_eq!(groups(&cells[..3], 1), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn nothing_makes_no_cohort() {
        assert!(group(&[], 4).is_empty());
    }
}
