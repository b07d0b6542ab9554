//! The HTTP server of a service.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Responder, ResponseError, Route, guard, web};
use socket2::SockRef;

use crate::cors::{Origin, cors};
use crate::health::{livez, readyz};
use crate::metrics::metrics;
use crate::observe::observe;
use crate::{Code, Health, Metrics, Problem};

/// Bounds of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Threads that answer requests.
    pub workers: usize,
    /// Connections each of them keeps open; more wait to be accepted.
    pub max_connections_per_worker: usize,
    /// Web pages of these origins may ask, too.
    pub cors_origins: Vec<Origin>,
    /// How long requests may go on after a stop.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            max_connections_per_worker: 10_000,
            cors_origins: Vec::new(),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; choose another address with {flag}")]
pub struct AddressError {
    address: String,
    flag: &'static str,
    source: std::io::Error,
}

/// An address that is listened on, not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on `address` (`host:port`, port 0 for any free one), which `flag` sets.
    ///
    /// # Errors
    /// The address is taken, or is none.
    pub fn new(address: &str, flag: &'static str) -> Result<Self, AddressError> {
        let failed = |source| AddressError { address: address.to_owned(), flag, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `/livez`, `/readyz`, `/metrics` and what `routes` adds. Signals are the caller's.
    ///
    /// # Errors
    /// The server's threads cannot be started.
    pub fn serve(
        self,
        config: &ServerConfig,
        health: Data<Health>,
        counts: Data<Metrics>,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> std::io::Result<Server> {
        let max_connections = max_connections_per_worker(config);
        let origins = config.cors_origins.clone();
        let app = move || {
            App::new()
                .wrap(Condition::new(!origins.is_empty(), cors(&origins)))
                .wrap(from_fn(observe))
                .app_data(health.clone())
                .app_data(counts.clone())
                .service(web::resource("/livez").route(get().to(livez)).default_service(only_get()))
                .service(
                    web::resource("/readyz").route(get().to(readyz)).default_service(only_get()),
                )
                .service(
                    web::resource("/metrics").route(get().to(metrics)).default_service(only_get()),
                )
                .configure(routes.clone())
                .default_service(web::to(not_found))
        };
        let server = HttpServer::new(app)
            .workers(config.workers)
            .max_connections(max_connections)
            // Whoever closes its connection does not wait for an answer, or a stream, any more.
            .h1_allow_half_closed(false)
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            .on_connect(|connection, _| give_up_on_who_does_not_read(connection))
            .shutdown_timeout(config.shutdown_timeout.as_secs())
            .disable_signals()
            .listen(self.listener)?;
        Ok(server.run())
    }
}

/// Of the files that the process may open so many are connections, the others stores, topics and brokers.
const CONNECTIONS_OF_FILES: (u64, u64) = (3, 4);

/// As many as the process may open files for, once it may open as many as it can have.
fn max_connections_per_worker(config: &ServerConfig) -> usize {
    let wanted = config.max_connections_per_worker;
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "how many files may be open is unknown");
            return wanted;
        }
    };
    let (some, all) = CONNECTIONS_OF_FILES;
    let most = usize::try_from(files / all * some).unwrap_or(usize::MAX) / config.workers.max(1);
    if most < wanted {
        tracing::info!(files, "fewer connections are taken than wanted: open files are limited");
    }
    most.min(wanted).max(1)
}

/// What waits in the buffer of a connection before more of a body is asked for. Larger, and connections
/// with much to send keep that much memory; smaller, and sending takes more calls.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// How long a peer may take none of what was sent to it. Longer, and whoever stopped to read, or went
/// without a word, keeps its connection; shorter, and a network that is away for a moment ends
/// connections.
const PEER_TIMEOUT: Duration = Duration::from_secs(20);

/// Lets the kernel end connections whose peer takes nothing (`TCP_USER_TIMEOUT`, RFC 5482): the server
/// only writes where it can, and does not notice. Other systems than Linux keep them for longer.
fn give_up_on_who_does_not_read(connection: &dyn Any) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = connection.downcast_ref::<TcpStream>() {
        let set = SockRef::from(socket).set_tcp_user_timeout(Some(PEER_TIMEOUT));
        if let Err(error) = set {
            tracing::debug!(%error, "a connection has no write deadline");
        }
    }
}

/// A route for GET, and for HEAD, which is GET without the body (RFC 9110, section 9.3.2).
pub fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn only_get() -> Route {
    method_not_allowed("GET, HEAD")
}

/// Answers requests whose method a route does not have.
pub fn method_not_allowed(allowed: &'static str) -> Route {
    web::to(move || async move {
        Problem::new(Code::MethodNotAllowed, format!("this route takes {allowed}"))
            .allow(allowed)
            .error_response()
    })
}

async fn not_found() -> impl Responder {
    let answer: HttpResponse = Problem::new(Code::NotFound, "no such route").error_response();
    answer
}
