//! How far the training or measuring is: bars that move on a terminal, a line now and then otherwise; always on standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use protocol::Event;
use spec::RunId;

use crate::output;
use crate::text;

/// Time between two plain lines that only say how far things are; lines about ends and failures are never held back.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// Parts of an epoch that are told apart.
const PER_EPOCH: u64 = 1000;
/// Warnings of one cohort that are shown; a worker in trouble may print without end.
const SHOWN_LINES: usize = 20;

/// What is being done, in words.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Of a cohort that begins: `training`.
    pub doing: &'static str,
    /// Of a cohort that is over: `trained`.
    pub done: &'static str,
    /// What progress is a part of: `all epochs`.
    pub whole: &'static str,
}

/// A cohort, as far as progress is concerned.
#[derive(Clone, Debug)]
pub struct CohortInfo {
    /// For people.
    pub name: String,
    /// Cells trained together.
    pub n_cells: usize,
    /// Epochs in all.
    pub epochs: u64,
    /// Epochs trained before.
    pub epochs_behind: u64,
}

#[derive(Debug)]
struct State {
    cohort: CohortInfo,
    /// In parts of an epoch.
    position: u64,
    /// The latest of each run.
    test_elbos: BTreeMap<RunId, f64>,
    n_lines: usize,
    /// The latest change of threads: its epoch, and the numbers before and after.
    told_threads: Option<(u32, usize, usize)>,
    bar: Option<ProgressBar>,
}

impl State {
    /// The latest ELBO on the test images, a mean over the cohort's runs.
    fn mean_elbo(&self) -> Option<f64> {
        let n = self.test_elbos.len();
        (n > 0).then(|| self.test_elbos.values().sum::<f64>() / n as f64)
    }
}

/// How far all cohorts are.
#[derive(Debug)]
pub struct Progress {
    words: Words,
    bars: Option<(MultiProgress, ProgressBar)>,
    states: Vec<State>,
    started: Instant,
    last_line: Instant,
    n_ended: usize,
    /// Errors and hints that were shown; what ails all cohorts alike is said once.
    errors: BTreeSet<String>,
    /// What was behind at the start: it took none of the time since.
    behind: u64,
}

impl Progress {
    /// Nothing has begun.
    pub fn new(has_bars: bool, words: Words, cohorts: Vec<CohortInfo>) -> Progress {
        let states: Vec<State> = cohorts
            .into_iter()
            .map(|cohort| {
                let position = cohort.epochs_behind * PER_EPOCH;
                State { cohort, position, test_elbos: BTreeMap::new(), n_lines: 0, told_threads: None, bar: None }
            })
            .collect();
        let now = Instant::now();
        let mut progress = Progress {
            words,
            bars: None,
            states,
            started: now,
            last_line: now,
            n_ended: 0,
            errors: BTreeSet::new(),
            behind: 0,
        };
        progress.behind = progress.done();
        if has_bars {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            let total = all.add(
                ProgressBar::new(progress.whole()).with_style(style("{prefix:28} {wide_bar} {percent:>3} %  {msg}")),
            );
            total.set_prefix("all cohorts");
            total.set_position(progress.behind);
            progress.bars = Some((all, total));
        }
        progress
    }

    /// A cohort begins.
    pub fn start(&mut self, cohort: usize) {
        let of = self.states.len();
        let state = &mut self.states[cohort];
        let title = format!("cohort {}/{of}", cohort + 1);
        match &self.bars {
            Some((all, total)) => {
                let bar = ProgressBar::new((state.cohort.epochs * PER_EPOCH).max(1));
                let bar = all.insert_before(total, bar);
                bar.set_style(style("{prefix:28} {wide_bar} {percent:>3} %  {msg}"));
                bar.set_prefix(shortened(&state.cohort.name, 28));
                bar.set_position(state.position);
                bar.set_message(title);
                state.bar = Some(bar);
            }
            None => {
                let text = match state.cohort.epochs_behind {
                    0 => format!("{title}: {} {}", self.words.doing, state.cohort.name),
                    epoch => format!("{title}: going on with {} from epoch {epoch}", state.cohort.name),
                };
                output::say(&text);
            }
        }
    }

    /// A worker said something.
    pub fn event(&mut self, cohort: usize, event: &Event) {
        let of = self.states.len();
        let state = &mut self.states[cohort];
        match event {
            Event::Progress { epoch, epochs, step, steps } => {
                let within = PER_EPOCH * (*step).min(*steps) / (*steps).max(1);
                state.position = u64::from(epoch.saturating_sub(1)) * PER_EPOCH + within;
                if let Some(bar) = &state.bar {
                    let elbo =
                        state.mean_elbo().map(|elbo| format!("  ELBO {}", text::number(elbo))).unwrap_or_default();
                    bar.set_position(state.position);
                    let epoch = if *epochs > 1 { format!("  epoch {epoch}/{epochs}") } else { String::new() };
                    bar.set_message(format!("cohort {}/{of}{epoch}{elbo}", cohort + 1));
                }
            }
            Event::Epoch { run_id, epoch, test_elbo, .. } => {
                state.position = state.position.max(u64::from(*epoch) * PER_EPOCH);
                // A model without a bound has no part in the mean.
                if let Some(elbo) = test_elbo {
                    state.test_elbos.insert(run_id.clone(), *elbo);
                }
            }
            Event::Threads { epoch, from, to, seconds_before, seconds_after, .. } => {
                // Every run of the cohort tells it.
                let change = (*epoch, *from, *to);
                if state.told_threads.replace(change) == Some(change) {
                    return;
                }
                let (before, after) = (1e3 * seconds_before, 1e3 * seconds_after);
                let why = match from > to {
                    true => format!(
                        "other work holds up threads that wait for each other ({before:.0} ms a step, {after:.0} with {to})"
                    ),
                    false => format!("the machine is free again ({before:.0} ms a step, {after:.0} with {to})"),
                };
                let text = format!("cohort {}: from {from} to {}: {why}", cohort + 1, text::counted(*to, "thread"));
                self.say(&text);
            }
            Event::Evaluated { .. } => state.position = state.cohort.epochs * PER_EPOCH,
            Event::Started { .. } | Event::Finished { .. } | Event::Failed { .. } | Event::Interrupted { .. } => {}
        }
    }

    /// A worker printed a line that is no event.
    pub fn line(&mut self, cohort: usize, line: &str) {
        let state = &mut self.states[cohort];
        if line.trim().is_empty() {
            return;
        }
        let is_error = line.starts_with("error: ") || line.starts_with("hint: ");
        if is_error && !self.errors.insert(line.to_owned()) {
            return;
        }
        state.n_lines += 1;
        let n_lines = state.n_lines;
        if n_lines <= SHOWN_LINES {
            self.say(&format!("cohort {}: {}", cohort + 1, printable(line)));
        } else if n_lines == SHOWN_LINES + 1 {
            self.say(&format!("cohort {}: further lines are not shown", cohort + 1));
        }
    }

    /// A run failed; why is said unless it was just said.
    pub fn failed(&mut self, name: &str, id: &RunId, reason: &str) {
        let is_told = self.errors.iter().any(|error| reason.ends_with(error.as_str()));
        if is_told {
            self.say(&format!("failed: {name} ({id})"));
        } else {
            self.say(&format!("failed: {name} ({id}): {reason}"));
            self.errors.insert(reason.to_owned());
        }
    }

    /// A cohort is over, in whatever way.
    pub fn end(&mut self, cohort: usize) {
        self.n_ended += 1;
        let state = &mut self.states[cohort];
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        let is_complete = state.position >= state.cohort.epochs * PER_EPOCH;
        state.position = state.cohort.epochs * PER_EPOCH;
        if self.bars.is_none() && is_complete {
            let mean = if state.cohort.n_cells > 1 { "mean " } else { "" };
            let elbo = state.mean_elbo().map(|elbo| format!(", {mean}test ELBO {}", text::number(elbo)));
            let elbo = elbo.unwrap_or_default();
            let done = self.words.done;
            output::say(&format!("cohort {}/{}: {done}{elbo}{}", cohort + 1, self.states.len(), self.left()));
            self.last_line = Instant::now();
        }
    }

    /// Time has gone by.
    pub fn tick(&mut self) {
        if let Some((_, total)) = &self.bars {
            total.set_position(self.done());
            total.set_message(format!("{}/{} done{}", self.n_ended, self.states.len(), self.left()));
        } else if self.last_line.elapsed() >= BETWEEN_LINES && self.n_ended < self.states.len() {
            self.last_line = Instant::now();
            let percent = 100 * self.done() / self.whole();
            output::say(&format!("{percent} % of {}{}", self.words.whole, self.left()));
        }
    }

    /// Says something above the bars.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some((all, _)) => all.suspend(|| output::say(text)),
            None => output::say(text),
        }
    }

    /// Takes the bars away.
    pub fn close(&mut self) {
        if let Some((all, total)) = self.bars.take() {
            total.finish_and_clear();
            // A terminal that cannot be cleared has nothing worth clearing.
            let _ = all.clear();
        }
    }

    /// Parts of epochs of all cells, done and behind.
    fn done(&self) -> u64 {
        self.states.iter().map(|state| state.position * state.cohort.n_cells as u64).sum()
    }

    fn whole(&self) -> u64 {
        let all: u64 =
            self.states.iter().map(|state| state.cohort.epochs * PER_EPOCH * state.cohort.n_cells as u64).sum();
        all.max(1)
    }

    /// The time left, once there is something to judge it by.
    fn left(&self) -> String {
        let done_since = self.done().saturating_sub(self.behind);
        let to_go = self.whole().saturating_sub(self.done());
        if done_since == 0 || to_go == 0 {
            return String::new();
        }
        let seconds = self.started.elapsed().as_secs_f64() * to_go as f64 / done_since as f64;
        format!(", {} left", spec::duration(seconds))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}

fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A line without what would move the cursor or colour the terminal, and not longer than a few lines.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { doing: "training", done: "trained", whole: "all epochs" };

    fn cohort(epochs: u64, epochs_behind: u64) -> CohortInfo {
        CohortInfo { name: "vae-mnist-z2-b1-s0 and 3 more".to_owned(), n_cells: 4, epochs, epochs_behind }
    }

    #[test]
    fn what_was_trained_before_does_not_count_as_speed() {
        let mut progress = Progress::new(false, WORDS, vec![cohort(10, 5)]);
        assert_eq!(progress.left(), "");
        progress.event(0, &Event::Progress { epoch: 6, epochs: 10, step: 10, steps: 10 });
        progress.started = Instant::now().checked_sub(Duration::from_secs(10)).expect("the clock is past 10 s");
        assert_eq!(progress.left(), ", 40 s left");
    }

    #[test]
    fn nonsense_of_a_worker_is_survived() {
        let mut progress = Progress::new(false, WORDS, vec![cohort(0, 0)]);
        progress.event(0, &Event::Progress { epoch: 0, epochs: 0, step: 9, steps: 0 });
        assert_eq!(progress.left(), "");
        assert_eq!(printable("a\u{1b}[31mb\u{7}"), "a[31mb");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
