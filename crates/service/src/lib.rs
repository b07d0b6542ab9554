//! What both HTTP services share: telemetry, errors, limits, health, metrics, shutdown.

mod allocator;
mod atoi;
mod body;
mod clock;
mod cors;
mod current;
mod folders;
mod health;
mod json;
mod metrics;
mod observe;
mod openapi;
mod parameters;
mod problem;
mod server;
mod shutdown;
mod tasks;
mod telemetry;
mod unread;

pub use atoi::{NotAnInteger, atoi};
pub use body::{BodyBudget, BodyError, BodyLimits, Reserved};
pub use clock::now;
pub use cors::{NotAnOrigin, Origin};
pub use current::Current;
pub use folders::state_folder;
pub use health::Health;
pub use json::{read_json, require_media_type};
pub use metrics::Metrics;
pub use openapi::{OperationsApi, openapi_route};
pub use parameters::Parameters;
pub use problem::{Code, Problem, ProblemDocument};
pub use server::{AddressError, Bound, ServerConfig, get, method_not_allowed};
pub use shutdown::{Exit, run_until_interrupted};
pub use tasks::Tasks;
pub use telemetry::{LogFormat, TelemetryArgs};
