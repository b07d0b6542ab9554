//! The HTTP server of a service.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Responder, ResponseError, Route, guard, web};

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
    /// How long requests may go on after a stop.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            max_connections_per_worker: 10_000,
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
        let app = move || {
            App::new()
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
            .max_connections(config.max_connections_per_worker)
            .shutdown_timeout(config.shutdown_timeout.as_secs())
            .disable_signals()
            .listen(self.listener)?;
        Ok(server.run())
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
