//! The command line: `pgbackfill load`, `plan`, `status`, `verify` and the rest.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
