//! How training is laid out on the machine: processes, threads of each, and cells trained together.
//!
//! The rule, where neither the command line nor the experiment says otherwise:
//!
//! - **cohort**: 4 on a CPU, where larger cohorts fall out of the caches and smaller ones leave time between
//!   operations; 16 on a GPU. Fewer if memory is short: a cohort takes replicas × (parameters × 4 tensors × 4 bytes +
//!   activations of a batch), and each process takes libtorch and the images; all jobs together get three quarters of
//!   the free memory.
//! - **threads**: one for each [`MULTIPLICATIONS_PER_THREAD`] of a cohort's step on a CPU; at most two, or a fair share of the
//!   cores where there are so few cohorts that cores are left. A run that goes on keeps its threads, since rounding depends on
//!   them.
//! - **jobs**: as many as the cores have threads for, but no more than there are cohorts or than memory allows; 1 on a GPU.

use spec::{Device, Execution};

use crate::args::ExecutionArgs;
use crate::machine::Machine;
use crate::plan::work::Work;

/// Cells of a cohort on a CPU, where memory allows.
const CPU_COHORT: usize = 4;
/// Cells of a cohort on a GPU, where memory allows.
const GPU_COHORT: usize = 16;
/// Cores for each process on a CPU, where there are more cohorts than cores.
const CORES_PER_JOB: usize = 2;
/// Multiplications of a step, forward, for which a further thread is worth its while.
///
/// Measured on two cores of an AMD EPYC (Zen 4), batches of 128: an epoch of 784-100-5 (20 million) on 20,000 images took 0.39 s
/// with one thread and 0.33 to 0.5 s with two; of 784-400-20 (83 million) on 60,000 images 3.8 s and 2.1 s. A second thread
/// begins halfway between.
pub const MULTIPLICATIONS_PER_THREAD: u64 = 20_000_000;

/// How training is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// Processes at once, at most.
    pub jobs: usize,
    /// Cells trained together, at most.
    pub cohort: usize,
    /// Where to compute.
    pub device: Device,
    /// Threads of each process, where a person says so.
    pub asked_threads: Option<usize>,
    n_cores: usize,
    has_asked_jobs: bool,
}

impl Parallelism {
    /// Follows the rule, for cells of these sizes.
    pub fn choose(args: &ExecutionArgs, execution: &Execution, machine: Machine, cells: &[Work]) -> Parallelism {
        let device = args.device.unwrap_or(execution.device);
        let asked_threads = args.threads.or(execution.threads);
        let asked_jobs = args.jobs.or(execution.jobs);
        let free = machine.free_memory.map(|bytes| bytes / 4 * 3);
        let replica = cells.iter().map(Work::bytes_per_replica).max().unwrap_or(0).max(1);
        let process = cells.iter().map(Work::bytes_per_process).max().unwrap_or(0);
        // The jobs that there may be are those of the cohorts that want the fewest threads.
        let least = cells.iter().map(|work| useful_threads(CPU_COHORT as u64 * work.per_step())).min();
        let per_job = asked_threads.or(least).unwrap_or(CORES_PER_JOB).clamp(1, CORES_PER_JOB);
        let (wanted_cohort, wanted_jobs) = match device {
            Device::Cpu => (CPU_COHORT, machine.n_cores.div_ceil(per_job)),
            Device::Cuda => (GPU_COHORT, 1),
        };
        // A process that holds a single cell must fit, else nothing does; so many of those fit at once.
        let fitting_jobs = free.map_or(usize::MAX, |free| (free / (process + replica)) as usize).max(1);
        let jobs = asked_jobs.unwrap_or(wanted_jobs.min(fitting_jobs)).max(1);
        let share = free.map(|free| (free / jobs as u64).saturating_sub(process));
        let fitting_cohort = match device {
            Device::Cpu => share.map_or(usize::MAX, |share| (share / replica) as usize).max(1),
            // The memory of the machine says nothing about the memory of its GPU.
            Device::Cuda => usize::MAX,
        };
        let cohort = args.cohort.or(execution.cohort).unwrap_or(wanted_cohort.min(fitting_cohort)).max(1);
        let has_asked_jobs = asked_jobs.is_some();
        Parallelism { jobs, cohort, device, asked_threads, n_cores: machine.n_cores, has_asked_jobs }
    }

    /// Threads of a cohort whose step takes so many multiplications, if they are known, among so many cohorts.
    pub fn threads(&self, per_step: Option<u64>, n_cohorts: usize) -> usize {
        let most_jobs =
            if self.has_asked_jobs { self.jobs } else { self.n_cores.div_ceil(CORES_PER_JOB).min(self.jobs) };
        let share = (self.n_cores / most_jobs.min(n_cohorts).max(1)).max(1);
        let useful = match self.device {
            Device::Cpu => per_step.map_or(usize::MAX, useful_threads),
            Device::Cuda => usize::MAX,
        };
        self.asked_threads.unwrap_or(useful.min(share)).max(1)
    }

    /// Whether a cohort with so many threads may begin beside `n_running` others, which have `busy` threads together.
    pub fn has_room(&self, threads: usize, n_running: usize, busy: usize) -> bool {
        n_running == 0 || n_running < self.jobs && (self.has_asked_jobs || busy + threads <= self.n_cores)
    }

    /// By how much everything takes longer where more threads run than there are cores.
    pub fn slowdown(&self, busy: usize) -> f64 {
        (busy as f64 / self.n_cores as f64).max(1.0)
    }
}

/// Threads that a step of so many multiplications gains from.
fn useful_threads(per_step: u64) -> usize {
    usize::try_from(per_step / MULTIPLICATIONS_PER_THREAD).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::work::tests::{MNIST, reference};

    const NOTHING: ExecutionArgs = ExecutionArgs { jobs: None, threads: None, cohort: None, device: None };

    fn machine(n_cores: usize, gigabytes: u64) -> Machine {
        Machine { n_cores, free_memory: Some(gigabytes * 1_000_000_000) }
    }

    fn work(hidden: usize, latent_dim: usize) -> Work {
        let mut cell = reference();
        cell.model.hidden = vec![hidden];
        cell.model.latent_dim = latent_dim;
        Work::of(&cell, MNIST, 60_000).expect("MNIST's images are large enough")
    }

    fn choose(args: &ExecutionArgs, machine: Machine) -> (usize, usize, usize) {
        let work = work(400, 20);
        let parallelism = Parallelism::choose(args, &Execution::default(), machine, &[work]);
        (parallelism.jobs, parallelism.threads(Some(4 * work.per_step()), 100), parallelism.cohort)
    }

    #[test]
    fn cores_are_shared_among_jobs() {
        assert_eq!(choose(&NOTHING, machine(8, 32)), (4, 2, 4));
        assert_eq!(choose(&NOTHING, machine(1, 32)), (1, 1, 4));
        assert_eq!(choose(&ExecutionArgs { jobs: Some(2), ..NOTHING }, machine(8, 32)), (2, 4, 4));
    }

    #[test]
    fn short_memory_makes_fewer_jobs() {
        let (jobs, _, cohort) = choose(&NOTHING, machine(8, 2));
        assert_eq!((jobs, cohort), (2, 4));
        let (jobs, _, cohort) = choose(&NOTHING, Machine { n_cores: 8, free_memory: Some(1) });
        assert_eq!((jobs, cohort), (1, 1));
    }

    #[test]
    fn a_model_that_gains_nothing_from_a_second_thread_has_one() {
        let alone = |hidden, latent_dim, n_cores| {
            let work = work(hidden, latent_dim);
            let parallelism = Parallelism::choose(&NOTHING, &Execution::default(), machine(n_cores, 32), &[work]);
            parallelism.threads(Some(work.per_step()), 1)
        };
        assert_eq!([alone(100, 5, 2), alone(400, 20, 2)], [1, 2]);
        // However many cores there are.
        assert_eq!([alone(100, 5, 64), alone(400, 20, 64)], [1, 4]);
        let own = ExecutionArgs { threads: Some(3), ..NOTHING };
        let parallelism = Parallelism::choose(&own, &Execution::default(), machine(8, 32), &[work(100, 5)]);
        assert_eq!(parallelism.threads(Some(1), 1), 3);
        let execution = Execution { threads: Some(2), ..Execution::default() };
        let parallelism = Parallelism::choose(&NOTHING, &execution, machine(8, 32), &[work(100, 5)]);
        assert_eq!(parallelism.threads(Some(1), 1), 2);
    }

    #[test]
    fn few_cohorts_get_all_cores() {
        let parallelism = Parallelism::choose(&NOTHING, &Execution::default(), machine(8, 32), &[]);
        assert_eq!([1, 2, 100].map(|n| parallelism.threads(None, n)), [8, 4, 2]);
    }

    #[test]
    fn processes_with_one_thread_are_as_many_as_cores() {
        let small = work(10, 2);
        let parallelism = Parallelism::choose(&NOTHING, &Execution::default(), machine(2, 32), &[small, work(400, 20)]);
        assert_eq!(parallelism.jobs, 2);
        assert_eq!(parallelism.threads(Some(small.per_step()), 4), 1);
        assert_eq!(parallelism.threads(Some(work(400, 20).per_step()), 4), 2);
        assert!(parallelism.has_room(1, 1, 1) && parallelism.has_room(2, 0, 0));
        assert!(!parallelism.has_room(2, 1, 1) && !parallelism.has_room(1, 1, 2) && !parallelism.has_room(1, 2, 2));
        let asked = ExecutionArgs { jobs: Some(2), threads: Some(2), ..NOTHING };
        let asked = Parallelism::choose(&asked, &Execution::default(), machine(2, 32), &[small]);
        assert!(asked.has_room(2, 1, 2) && (asked.slowdown(4) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_command_line_goes_before_the_experiment() {
        let execution = Execution { jobs: Some(3), cohort: Some(7), ..Execution::default() };
        let args = ExecutionArgs { jobs: Some(2), ..NOTHING };
        let parallelism = Parallelism::choose(&args, &execution, machine(8, 32), &[]);
        assert_eq!((parallelism.jobs, parallelism.cohort), (2, 7));
    }
}
