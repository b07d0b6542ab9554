//! The reference: the least that a service of this kind can do, as a process of its own.

mod args;
mod child;
mod handlers;
mod produce;

use std::io::{Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{Data, FormConfig};
use actix_web::{App, HttpServer};

pub(crate) use args::{ProduceArgs, ReferenceServerArgs};
pub(crate) use child::Child;
use handlers::{Inbox, query, send};
use produce::Log;

/// Connections a worker keeps open, as our services do.
const MAX_CONNECTIONS_PER_WORKER: usize = 10_000;

/// The largest form, as our producer has it. The framework's own limit is 16 KiB.
const MAX_FORM_BYTES: usize = 3 * models::MAX_RECORD_BYTES;

/// Runs `loadgen reference-server` until standard input ends, as it does when the parent dies.
///
/// # Errors
/// The port is taken, or Kafka is away.
pub(crate) fn serve(args: &ReferenceServerArgs) -> anyhow::Result<ExitCode> {
    // The runtime our services have: threads for Kafka beside the server's own.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let log = match args.produces {
            true => Some(Log::connect(&args.produce).await?),
            false => None,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))?;
        let address = listener.local_addr()?;
        let server = server(listener, Inbox::new(args.notifications, args.message_bytes), log)?;
        writeln!(stdout(), "{address}")?;
        let handle = server.handle();
        std::thread::spawn(move || stop_at_end_of_input(&handle));
        server.await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// As many workers, and the same bounds, as our services have.
fn server(listener: TcpListener, inbox: Inbox, log: Option<Log>) -> std::io::Result<Server> {
    let (inbox, log) = (Data::new(inbox), Data::new(log));
    let app = move || {
        App::new()
            .app_data(FormConfig::default().limit(MAX_FORM_BYTES))
            .app_data(inbox.clone())
            .app_data(log.clone())
            .service(send)
            .service(query)
    };
    let server = HttpServer::new(app)
        .workers(std::thread::available_parallelism().map_or(2, usize::from))
        .max_connections(MAX_CONNECTIONS_PER_WORKER)
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

fn stop_at_end_of_input(handle: &ServerHandle) {
    let mut buffer = [0; 64];
    while stdin().read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
    // The command is sent at the call; what it returns is only the wait for its end.
    drop(handle.stop(false));
}
