//! `completions` and `man`.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::output::written;
use crate::Result;

/// Writes the completion script of `shell`.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hyperloader", &mut script);
    written(out.write_all(&script))
}

/// Writes the manual page.
pub(super) fn man(out: &mut dyn Write) -> Result<()> {
    written(clap_mangen::Man::new(Cli::command()).render(out))
}
