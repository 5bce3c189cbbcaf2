//! How a command ended, from which the exit code follows.

/// How a command ended, when no error stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All well.
    Well,
    /// Some runs failed, or are not done because another process is training them.
    SomeFailed,
    /// Stopped by a signal of this number.
    Stopped(u8),
}
