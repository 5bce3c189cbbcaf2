//! A trained model that is used: found, given images, asked, and its images written.

mod output;
mod perform;
mod stored;

pub use output::{Format, check_output, write, write_rows};
pub use perform::{Answer, Given, UseOutcome};
pub use stored::{GivenImages, StoredModel};
