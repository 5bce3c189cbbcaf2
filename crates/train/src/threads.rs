//! Watches what a step takes, and trains with one thread for as long as several are slower than one.
//!
//! The threads of an operation wait for each other at its end. Where other processes want the same cores, one of them is often
//! not running, and all wait for it: two small trainings on two cores took 32 times as long together as one of them alone. The
//! wait is no longer than the system's slice of time once threads do not spin for long ([`SPIN`]), and is gone with
//! one thread. Which number is faster is measured: passes that change nothing, with one thread and with all of them in turn.

use std::time::Instant;

use protocol::Threads;
use record::ThreadSpan;

/// What OpenMP's library reads at its start; a value that the user has set is kept.
pub const SPIN: (&str, &str) = ("GOMP_SPINCOUNT", "10000");

/// Steps before the first comparison, in which memory and threads are made ready.
const WARM_UP: u64 = 3;
/// Steps whose mean time is looked at, at least, and seconds.
const WINDOW: (u64, f64) = (8, 0.25);
/// A window that is slower than the fastest one by this factor asks for a comparison.
const SLOWER: f64 = 1.5;
/// Several threads are left where they take more than this share of the time that one takes, and taken up again where they
/// take less than the other share. Two threads that nothing disturbs took 0.55 of it for 784-400-20.
const LEAVE: f64 = 0.85;
const RETURN: f64 = 0.7;
/// A comparison is followed by so many times its own duration without another, so that it costs little.
const REST: f64 = 25.0;
/// Seconds with one thread until several are tried again, at least.
const RETRY: f64 = 20.0;
/// Pairs of passes in a comparison, at most, and seconds after which none is begun.
const PASSES: (usize, f64) = (5, 1.0);

/// Seconds of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Comparison {
    /// With one thread.
    one: f64,
    /// With all threads.
    many: f64,
    /// Of the comparison as a whole.
    total: f64,
}

/// A change of the number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadChange {
    /// Threads until now.
    pub from: usize,
    /// Threads from now on.
    pub to: usize,
    /// Seconds of a pass with the former number.
    pub seconds_before: f64,
    /// Seconds of a pass with the latter.
    pub seconds_after: f64,
}

/// Watches the steps of a training.
#[derive(Debug)]
pub struct Watch {
    /// Threads where nothing disturbs; 1 where there is nothing to watch.
    all: usize,
    now: usize,
    steps: u64,
    /// Steps and seconds of the window at hand.
    window: (u64, f64),
    /// Mean seconds of a step in the fastest window with all threads.
    fastest: f64,
    /// Seconds since the start, and when the next comparison may be.
    clock: f64,
    rested: f64,
}

impl Watch {
    /// Over a training with `now` threads, which may have `all`.
    pub fn new(now: usize, all: usize) -> Watch {
        let window = (0, 0.0);
        Watch { all, now, steps: 0, window, fastest: f64::INFINITY, clock: 0.0, rested: 0.0 }
    }

    /// Over a training whose number of threads stays as it is.
    pub fn fixed(threads: usize) -> Watch {
        Watch::new(threads, threads.min(1))
    }

    /// Takes note of a step of so many seconds; whether one thread is to be compared with all of them now.
    fn is_due(&mut self, seconds: f64) -> bool {
        if self.all <= 1 {
            return false;
        }
        self.steps += 1;
        self.clock += seconds;
        if self.steps < WARM_UP {
            return false;
        }
        if self.now < self.all {
            return self.steps == WARM_UP || self.clock >= self.rested;
        }
        self.window = (self.window.0 + 1, self.window.1 + seconds);
        let is_slow = self.window.0 >= WINDOW.0 && self.window.1 >= WINDOW.1 && {
            let (steps, seconds) = std::mem::take(&mut self.window);
            let mean = seconds / steps as f64;
            self.fastest = self.fastest.min(mean);
            mean > SLOWER * self.fastest && self.clock >= self.rested
        };
        self.steps == WARM_UP || is_slow
    }

    /// What follows from a comparison.
    fn judge(&mut self, compared: Comparison) -> Option<ThreadChange> {
        let Comparison { one, many, total } = compared;
        self.clock += total;
        self.rested = self.clock + REST * total;
        self.window = (0, 0.0);
        let change = if self.now > 1 && many > LEAVE * one {
            self.rested = self.rested.max(self.clock + RETRY);
            Some(ThreadChange { from: self.now, to: 1, seconds_before: many, seconds_after: one })
        } else if self.now == 1 && many < RETURN * one {
            Some(ThreadChange { from: 1, to: self.all, seconds_before: one, seconds_after: many })
        } else {
            self.rested = if self.now == 1 { self.rested.max(self.clock + RETRY) } else { self.rested };
            None
        };
        self.now = change.map_or(self.now, |change| change.to);
        change
    }

    /// Threads at the moment.
    pub fn now(&self) -> usize {
        self.now
    }

    /// Compares by `pass`, after a step of so many seconds, if that is due; sets the number of threads to what follows.
    pub fn after_step(&mut self, seconds: f64, pass: &mut dyn FnMut()) -> Option<ThreadChange> {
        if !self.is_due(seconds) {
            return None;
        }
        let change = self.judge(compare(self.all, pass));
        set(self.now);
        change
    }
}

/// Lets the operations of this thread have so many threads.
pub fn set(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// Times `pass` with one thread and with `all` in turn; takes the median of each. Leaves the number of threads as it comes.
fn compare(all: usize, pass: &mut dyn FnMut()) -> Comparison {
    let began = Instant::now();
    let mut timed = |threads: usize| {
        set(threads);
        let started = Instant::now();
        pass();
        started.elapsed().as_secs_f64()
    };
    let (mut one, mut many) = (Vec::new(), Vec::new());
    while one.is_empty() || one.len() < PASSES.0 && began.elapsed().as_secs_f64() < PASSES.1 {
        one.push(timed(1));
        many.push(timed(all));
    }
    Comparison { one: median(&mut one), many: median(&mut many), total: began.elapsed().as_secs_f64() }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The watch over a training that goes on, or begins, after `step` steps, of a run with this history.
///
/// What a person asked for goes before all. Else a run that goes on keeps the threads that it had at that step, since rounding
/// depends on them, and never gets more than it once had.
pub fn begin(threads: Threads, history: &[ThreadSpan], step: u64) -> Watch {
    let count = threads.count.get();
    if threads.asked {
        return Watch::fixed(count);
    }
    let past: Vec<usize> =
        history.iter().filter(|span| step > 0 && span.from_step <= step).map(|s| s.threads).collect();
    match (past.last(), past.iter().max()) {
        (Some(&now), Some(&most)) => Watch::new(now, most),
        _ => Watch::new(count, count),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn compared(one: f64, many: f64) -> Comparison {
        Comparison { one, many, total: 0.1 }
    }

    /// Seconds of steps until a comparison is due, if that is within so many seconds.
    fn until_due(watch: &mut Watch, step: f64, within: f64) -> Option<f64> {
        let mut clock = 0.0;
        while clock < within {
            clock += step;
            if watch.is_due(step) {
                return Some(clock);
            }
        }
        None
    }

    #[test]
    fn one_thread_or_an_asked_number_is_never_compared() {
        let count = NonZeroUsize::new(2).expect("two");
        for mut watch in [Watch::new(1, 1), Watch::fixed(2), begin(Threads { count, asked: true }, &[], 0)] {
            assert_eq!(until_due(&mut watch, 0.1, 100.0), None);
        }
    }

    #[test]
    fn the_start_is_compared_once_and_a_quiet_machine_never_again() {
        let mut watch = Watch::new(2, 2);
        assert!(until_due(&mut watch, 0.007, 100.0).is_some_and(|seconds| seconds < 0.03));
        assert_eq!(watch.judge(compared(0.014, 0.007)), None);
        assert_eq!(until_due(&mut watch, 0.007, 1000.0), None);
        assert_eq!(watch.now(), 2);
    }

    #[test]
    fn a_collapse_is_left_within_a_second_and_several_threads_are_taken_up_again_when_it_is_over() {
        let mut watch = Watch::new(2, 2);
        until_due(&mut watch, 0.007, 1.0);
        watch.judge(compared(0.014, 0.007));
        assert_eq!(until_due(&mut watch, 0.007, 10.0), None);
        // Another process begins.
        assert!(until_due(&mut watch, 0.2, 10.0).is_some_and(|seconds| seconds < 2.0));
        let left = watch.judge(compared(0.02, 0.2));
        assert_eq!(left, Some(ThreadChange { from: 2, to: 1, seconds_before: 0.2, seconds_after: 0.02 }));
        // It is tried again only after a while, and while the machine is busy in vain.
        assert!(until_due(&mut watch, 0.02, 1000.0).is_some_and(|seconds| seconds > RETRY - 0.1));
        assert_eq!(watch.judge(compared(0.02, 0.016)), None);
        assert!(until_due(&mut watch, 0.02, 1000.0).is_some_and(|seconds| seconds > RETRY - 0.1));
        let back = watch.judge(compared(0.014, 0.007));
        assert_eq!(back, Some(ThreadChange { from: 1, to: 2, seconds_before: 0.014, seconds_after: 0.007 }));
    }

    #[test]
    fn comparisons_that_change_nothing_cost_little() {
        let mut watch = Watch::new(2, 2);
        let (mut clock, mut compared_for) = (0.0, 0.0);
        for step in 0..100_000 {
            // Ten times as slow now and then, for a reason that threads have nothing to do with.
            let seconds = if step % 1000 < 500 { 0.007 } else { 0.07 };
            clock += seconds;
            if watch.is_due(seconds) {
                compared_for += 0.5;
                assert_eq!(watch.judge(Comparison { one: 2.0 * seconds, many: seconds, total: 0.5 }), None);
            }
        }
        assert!(compared_for > 0.5 && compared_for < 0.05 * clock, "{compared_for} of {clock} s");
    }

    #[test]
    fn a_run_that_goes_on_keeps_its_threads() {
        let threads = |n: usize| Threads { count: NonZeroUsize::new(n).expect("not zero"), asked: false };
        let span = |from_step, threads| ThreadSpan { from_step, threads };
        let of = |watch: Watch| (watch.now(), watch.all);
        assert_eq!(of(begin(threads(4), &[], 0)), (4, 4));
        assert_eq!(of(begin(threads(4), &[span(0, 2)], 100)), (2, 2));
        let fell_back = [span(0, 2), span(70, 1)];
        assert_eq!(of(begin(threads(4), &fell_back, 60)), (2, 2));
        assert_eq!(of(begin(threads(4), &fell_back, 100)), (1, 2));
        // From the beginning it is a new run.
        assert_eq!(of(begin(threads(4), &fell_back, 0)), (4, 4));
    }
}
