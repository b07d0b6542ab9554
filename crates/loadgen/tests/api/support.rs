//! The program as a process, and servers to run it against.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use serde_json::Value;

/// Longer than any run here takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// The same, if it does not take too long.
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(WITHIN).unwrap()
}

fn command(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args.split_whitespace());
    command
}

/// Runs the program: exit code, standard output, standard error.
pub(crate) fn run(args: &str) -> (i32, String, String) {
    let mut command = command(args);
    let output = within(move || command.output().unwrap());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs the program to success; its JSON.
pub(crate) fn json(args: &str) -> Value {
    let (code, stdout, stderr) = run(&format!("{args} --json -"));
    assert_eq!(code, 0, "{args}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A reference server.
pub(crate) struct Reference {
    pub(crate) process: Child,
    pub(crate) address: String,
}

impl Reference {
    pub(crate) fn start() -> Self {
        let mut command = command("reference-server");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = within(move || lines.next().unwrap().unwrap());
        Self { process, address }
    }

    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        within(move || self.process.wait().unwrap())
    }
}

/// A server without the service's routes, on a thread that ends with the test; its address.
pub(crate) fn serve(routes: fn(&mut web::ServiceConfig)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let last = Data::new(Mutex::new(String::new()));
    std::thread::spawn(move || {
        let app = move || App::new().app_data(last.clone()).configure(routes);
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener);
        actix_web::rt::System::new().block_on(server.unwrap().run())
    });
    address
}

/// No routes at all: everything is 404.
pub(crate) fn nothing(_routes: &mut web::ServiceConfig) {}
