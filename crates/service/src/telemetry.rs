//! Logs: to standard error, one line an event.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct TelemetryArgs {
    /// What to log: a level (error, warn, info, debug), or directives such as
    /// `info,kafka=debug`
    #[arg(
        long,
        env = "NOTIFY_LOG",
        value_name = "FILTER",
        default_value = "info,actix_server=warn,fjall=warn,lsm_tree=warn,rskafka=error"
    )]
    pub log: String,
    /// How log lines look
    #[arg(long, env = "NOTIFY_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

impl TelemetryArgs {
    /// Starts logging. A filter that cannot be read is an error; a second call changes nothing.
    ///
    /// # Errors
    /// The filter's fault, in words.
    pub fn start(&self) -> Result<(), String> {
        let filter = EnvFilter::try_new(&self.log).map_err(|error| format!("--log: {error}"))?;
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_timer(SystemTime)
            // A log that cannot be written must not be the end of what is logged.
            .log_internal_errors(false)
            .with_writer(std::io::stderr);
        // That it is started already is the only error: a process of several services.
        let _ = match self.log_format {
            LogFormat::Text => {
                let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
                lines.with_ansi(is_terminal).try_init()
            }
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
        };
        Ok(())
    }
}
