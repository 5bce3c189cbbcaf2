//! How training is laid out on the machine: processes, threads of each, and cells trained together.
//!
//! The rule, where neither the command line nor the experiment says otherwise:
//!
//! - **cohort**: 4 on a CPU, where larger cohorts fall out of the caches and smaller ones leave time between
//!   operations; 16 on a GPU. Fewer if memory is short: a cohort takes replicas × (parameters × 4 tensors × 4 bytes +
//!   activations of a batch), and each process takes libtorch and the images; all jobs together get three quarters of
//!   the free memory.
//! - **jobs**: one for each two cores on a CPU, but no more than there are cohorts or than memory allows; 1 on a GPU.
//! - **threads**: cores / jobs, at least 1.

use spec::{Device, Execution};

use crate::args::ExecutionArgs;
use crate::machine::Machine;
use crate::plan::work::Work;

/// Cells of a cohort on a CPU, where memory allows.
const CPU_COHORT: usize = 4;
/// Cells of a cohort on a GPU, where memory allows.
const GPU_COHORT: usize = 16;
/// Cores for each process on a CPU.
const CORES_PER_JOB: usize = 2;

/// How training is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// Processes at once.
    pub jobs: usize,
    /// Threads of each process.
    pub threads: usize,
    /// Cells trained together, at most.
    pub cohort: usize,
    /// Where to compute.
    pub device: Device,
    n_cores: usize,
    has_own_threads: bool,
}

impl Parallelism {
    /// Follows the rule, for cells of these sizes.
    pub fn choose(args: &ExecutionArgs, execution: &Execution, machine: Machine, cells: &[Work]) -> Parallelism {
        let device = args.device.unwrap_or(execution.device);
        let free = machine.free_memory.map(|bytes| bytes / 4 * 3);
        let replica = cells.iter().map(Work::bytes_per_replica).max().unwrap_or(0).max(1);
        let process = cells.iter().map(Work::bytes_per_process).max().unwrap_or(0);
        let (wanted_cohort, wanted_jobs) = match device {
            Device::Cpu => (CPU_COHORT, machine.n_cores.div_ceil(CORES_PER_JOB)),
            Device::Cuda => (GPU_COHORT, 1),
        };
        // A process that holds a single cell must fit, else nothing does; so many of those fit at once.
        let fitting_jobs = free.map_or(usize::MAX, |free| (free / (process + replica)) as usize).max(1);
        let jobs = args.jobs.or(execution.jobs).unwrap_or(wanted_jobs.min(fitting_jobs)).max(1);
        let share = free.map(|free| (free / jobs as u64).saturating_sub(process));
        let fitting_cohort = match device {
            Device::Cpu => share.map_or(usize::MAX, |share| (share / replica) as usize).max(1),
            // The memory of the machine says nothing about the memory of its GPU.
            Device::Cuda => usize::MAX,
        };
        let cohort = args.cohort.or(execution.cohort).unwrap_or(wanted_cohort.min(fitting_cohort)).max(1);
        let own_threads = args.threads.or(execution.threads);
        Parallelism {
            jobs,
            threads: own_threads.unwrap_or(machine.n_cores / jobs).max(1),
            cohort,
            device,
            n_cores: machine.n_cores,
            has_own_threads: own_threads.is_some(),
        }
    }

    /// The layout for so many cohorts: no more jobs than cohorts, and their cores to the others.
    pub fn fit(self, n_cohorts: usize) -> Parallelism {
        let jobs = self.jobs.min(n_cohorts).max(1);
        let threads = if self.has_own_threads { self.threads } else { (self.n_cores / jobs).max(1) };
        Parallelism { jobs, threads, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::work::tests::{MNIST, reference};

    const NOTHING: ExecutionArgs = ExecutionArgs { jobs: None, threads: None, cohort: None, device: None };

    fn machine(n_cores: usize, gigabytes: u64) -> Machine {
        Machine { n_cores, free_memory: Some(gigabytes * 1_000_000_000) }
    }

    fn choose(args: &ExecutionArgs, machine: Machine) -> (usize, usize, usize) {
        let cells = [Work::of(&reference(), MNIST, 60_000).expect("MNIST's images are large enough")];
        let parallelism = Parallelism::choose(args, &Execution::default(), machine, &cells);
        (parallelism.jobs, parallelism.threads, parallelism.cohort)
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
    fn few_cohorts_get_all_cores() {
        let parallelism = Parallelism::choose(&NOTHING, &Execution::default(), machine(8, 32), &[]).fit(1);
        assert_eq!((parallelism.jobs, parallelism.threads), (1, 8));
        let own = ExecutionArgs { threads: Some(3), ..NOTHING };
        let parallelism = Parallelism::choose(&own, &Execution::default(), machine(8, 32), &[]).fit(1);
        assert_eq!((parallelism.jobs, parallelism.threads), (1, 3));
    }

    #[test]
    fn the_command_line_goes_before_the_experiment() {
        let execution = Execution { jobs: Some(3), cohort: Some(7), ..Execution::default() };
        let args = ExecutionArgs { jobs: Some(2), ..NOTHING };
        let parallelism = Parallelism::choose(&args, &execution, machine(8, 32), &[]);
        assert_eq!((parallelism.jobs, parallelism.cohort), (2, 7));
    }
}
