//! A trained model that is used: found, given images, asked, and its images written.

mod ask;
mod output;
mod stored;

pub use ask::{Answer, Asked};
pub use output::{Format, check_output, write};
pub use stored::{GivenImages, Model};
