//! The `hyperloader` command.

fn main() -> std::process::ExitCode {
    hyperloader::cli::main()
}
