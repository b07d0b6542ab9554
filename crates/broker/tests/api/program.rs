//! The real program, which can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) struct Program {
    child: Child,
    pub(crate) addr: String,
}

impl Program {
    pub(crate) fn start(data_dir: &Path) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_broker"))
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--broker-addr", "127.0.0.1:0"])
            .env("RUST_LOG", "info")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("the broker listens addr=")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        // Read on, or the program stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Program { child, addr: addr.expect("the address in the log") }
    }
}

/// The kill: SIGKILL, also when a test fails.
impl Drop for Program {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}
