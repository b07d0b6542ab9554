//! What both HTTP services share: telemetry, errors, limits, health, metrics, shutdown.

mod body;
mod clock;
mod health;
mod metrics;
mod observe;
mod problem;
mod server;
mod shutdown;
mod telemetry;

pub use body::{BodyBudget, BodyError, BodyLimits};
pub use clock::now;
pub use health::Health;
pub use metrics::Metrics;
pub use problem::{Code, Problem};
pub use server::{AddressError, Bound, ServerConfig, get, method_not_allowed};
pub use shutdown::{EXIT_FAILED, EXIT_UNUSABLE, exit_code, interrupted};
pub use telemetry::{LogFormat, TelemetryArgs};
