//! `elbo man`: manual pages, one for elbo and one for each of its commands.

use std::path::Path;

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::args::Cli;
use crate::outcome::Outcome;
use crate::output;

/// Writes the pages into a folder, which is made if it is not there, and prints the folder.
///
/// # Errors
/// If the folder or a page cannot be written.
pub fn man(folder: &Path) -> Result<Outcome> {
    fs_err::create_dir_all(folder)?;
    let mut elbo = Cli::command().disable_help_subcommand(true);
    elbo.build();
    write_pages(&elbo, folder)?;
    output::print(&format!("{}\n", folder.display()))?;
    Ok(Outcome::Well)
}

fn write_pages(command: &Command, folder: &Path) -> Result<()> {
    command.get_subcommands().try_for_each(|below| write_pages(below, folder))?;
    // Without a date its place must be held, or what stands behind it moves up.
    let man = Man::new(command.clone()).date(r#""""#).source(concat!("elbo ", env!("CARGO_PKG_VERSION")));
    fs_err::write(folder.join(man.get_filename()), page(command, &man)?)?;
    Ok(())
}

/// A page in roff. Its last section is what `--help` ends with, in lines as they are written: examples, and the keys of JSON.
fn page(command: &Command, man: &Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_help() {
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.to_string().lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []).to_writer(&mut page)?;
    }
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    Ok(page)
}
