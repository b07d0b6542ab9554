//! Where the log ends, for whoever has to know it now.

use std::sync::Arc;

use kafka::{ClusterConfig, End, Topic};
use models::{Offset, Partition};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Where a partition ends. However many ask, one request is under way at a time, and one that began
/// after they came answers them all.
pub(crate) struct EndOfLog {
    asking: Mutex<Asking>,
}

struct Asking {
    end: End,
    last: Option<(Instant, Result<Offset, Unknown>)>,
}

/// The broker could not be asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the end of the log cannot be asked for: {0}")]
pub(crate) struct Unknown(Arc<str>);

impl EndOfLog {
    pub(crate) fn new(cluster: ClusterConfig, topic: Topic, partition: Partition) -> Self {
        let end = End::new(cluster, topic, partition);
        Self { asking: Mutex::new(Asking { end, last: None }) }
    }

    /// The offset behind the last record: everything that was acknowledged before this call lies
    /// below it.
    ///
    /// # Errors
    /// The broker could not be asked, or not before the deadline.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub(crate) async fn ask(&self, deadline: Instant) -> Result<Offset, Unknown> {
        let late = |_| Unknown("no answer in time".into());
        tokio::time::timeout_at(deadline, self.ask_in_turn()).await.map_err(late)?
    }

    async fn ask_in_turn(&self) -> Result<Offset, Unknown> {
        let came = Instant::now();
        let mut asking = self.asking.lock().await;
        if let Some((began, answer)) = &asking.last
            && *began > came
        {
            return answer.clone();
        }
        let began = Instant::now();
        // Boxed: the compiler gives up on the layout of futures nested this deep.
        let asked = Box::pin(asking.end.offset()).await;
        let answer = asked.map_err(|error| Unknown(error.to_string().into()));
        asking.last = Some((began, answer.clone()));
        answer
    }
}
