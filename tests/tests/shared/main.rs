//! Tests that need the corpora or T5's tokenizer, which are not in the repository: they are read from `../shared`. Where that folder is
//! missing, they are listed as ignored, each with what it lacks; with `HYPERLOADER_REQUIRE_GOLDENS=1` they fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod corpora;
mod tokenizer;

use std::process::ExitCode;

use libtest_mimic::Arguments;

/// Set for a child process, in which this program is the command `hyperloader`: a package gets the path of its own binaries only.
const AS_COMMAND: &str = "PEFT_TESTS_AS_COMMAND";

fn main() -> ExitCode {
    if std::env::var_os(AS_COMMAND).is_some() {
        return hyperloader::cli::main();
    }
    let trials = corpora::trials().into_iter().chain(tokenizer::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
