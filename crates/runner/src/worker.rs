//! Workers: processes of `elbo-train`, started, listened to, signalled and waited for here alone.

mod launcher;
mod process;
mod signals;
mod single;
mod supervisor;

pub use launcher::{Launcher, absolute, find_program, threads_of};
pub use single::{Conclusion, run_single};
pub use supervisor::{Notice, Supervisor};
