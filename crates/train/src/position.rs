//! Epochs and steps completed, and their form in a checkpoint's header.

use std::collections::HashMap;

use anyhow::Context as _;

/// Epochs and steps completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Epochs completed.
    pub epoch: u32,
    /// Steps taken in the epoch after those.
    pub step_in_epoch: u64,
    /// Steps taken since the start of training.
    pub step: u64,
}

impl Position {
    /// As the metadata of a checkpoint's file.
    pub fn to_metadata(self) -> HashMap<String, String> {
        let Position { epoch, step_in_epoch, step } = self;
        HashMap::from([
            ("epoch".to_owned(), epoch.to_string()),
            ("step_in_epoch".to_owned(), step_in_epoch.to_string()),
            ("step".to_owned(), step.to_string()),
        ])
    }

    /// The inverse of [`Position::to_metadata`].
    ///
    /// Errors name what is absent or no number.
    pub fn from_metadata(metadata: &HashMap<String, String>) -> anyhow::Result<Position> {
        let number = |key: &str| -> anyhow::Result<u64> {
            let text = metadata.get(key).with_context(|| format!("the checkpoint does not say its `{key}`"))?;
            text.parse().with_context(|| format!("the checkpoint's `{key}` is `{text}`, not a number"))
        };
        let epoch = u32::try_from(number("epoch")?).context("the checkpoint's `epoch` is too large")?;
        Ok(Position { epoch, step_in_epoch: number("step_in_epoch")?, step: number("step")? })
    }
}
