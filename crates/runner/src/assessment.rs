//! Findings and warnings under a comparison: sentences for people, objects for programs.

use figures::{Assessment, Finding, Warning};
use serde::Serialize;

use crate::output;

/// The most findings that a terminal is filled with.
const MOST: usize = 15;

/// A finding for programs.
#[derive(Serialize)]
pub struct FindingJson {
    text: String,
    /// What tells the rows that it is about from the others.
    rows: Vec<String>,
}

/// A warning for programs.
#[derive(Serialize)]
pub struct WarningJson {
    kind: &'static str,
    text: String,
    hint: String,
    /// What tells the rows that it is about from the others.
    rows: Vec<String>,
}

impl From<Finding> for FindingJson {
    fn from(Finding { text, rows, .. }: Finding) -> FindingJson {
        FindingJson { text, rows }
    }
}

impl From<Warning> for WarningJson {
    fn from(Warning { kind, text, hint, rows, .. }: Warning) -> WarningJson {
        WarningJson { kind: kind.name(), text, hint, rows }
    }
}

/// The findings as lines of their own; nothing where there are none.
pub fn findings(assessment: &Assessment) -> String {
    let found = &assessment.findings;
    if found.is_empty() {
        return String::new();
    }
    let mut text =
        "\nfindings (mean difference ± 95 % interval over seeds; what may be chance is not told)\n".to_owned();
    for Finding { text: sentence, .. } in found.iter().take(MOST) {
        text.push_str(&format!("  {sentence}\n"));
    }
    if found.len() > MOST {
        text.push_str(&format!("  {} more are in the report\n", found.len() - MOST));
    }
    text
}

/// Says what makes the numbers less than they seem.
pub fn warn<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    for Warning { text, hint, .. } in warnings {
        output::say(&format!("warning: {text}\nhint: {hint}"));
    }
}
