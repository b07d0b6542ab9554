//! `kafka-notify completions` and `kafka-notify man`: what describes the program itself.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap_complete::Shell;

use crate::failure::{EXIT_CODES, Ending, Failure};

/// The name that is completed.
const NAME: &str = "kafka-notify";

/// Which shell to complete for.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

/// Where the manual goes.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ManCommand {
    /// A folder for one page a command; without it, the page of the program on standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl CompletionsCommand {
    pub(crate) fn run(self, mut program: clap::Command) -> Result<Ending, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, NAME, &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(Ending::Done)
    }
}

impl ManCommand {
    pub(crate) fn run(self, program: clap::Command) -> Result<Ending, Failure> {
        let Some(folder) = self.out else {
            io::stdout().lock().write_all(&page(program)?)?;
            return Ok(Ending::Done);
        };
        let write = || {
            fs::create_dir_all(&folder)?;
            clap_mangen::generate_to(program, &folder)
        };
        write()
            .map_err(|error| Failure::bad_input(format!("--out {}: {error}", folder.display())))?;
        Ok(Ending::Done)
    }
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
