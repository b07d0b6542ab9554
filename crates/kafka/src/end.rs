//! Where a partition ends.

use models::{Offset, Partition};

use crate::leader::Leader;
use crate::{ClusterConfig, Error, Topic};

/// Asks a broker where a partition ends, over a connection of its own that it keeps.
pub struct End {
    cluster: ClusterConfig,
    topic: Topic,
    partition: Partition,
    leader: Option<Leader>,
}

impl End {
    /// It connects when it is asked first.
    pub fn new(cluster: ClusterConfig, topic: impl Into<Topic>, partition: Partition) -> Self {
        Self { cluster, topic: topic.into(), partition, leader: None }
    }

    /// The offset behind the last record that is committed to all replicas.
    ///
    /// # Errors
    /// The broker could not be asked. The next call connects anew.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn offset(&mut self) -> Result<Offset, Error> {
        // Taken, so that one that fails, or whose call is cancelled, is not used again.
        let kept = self.leader.take().filter(|leader| !leader.is_idle());
        let mut leader = match kept {
            Some(leader) => leader,
            None => Leader::connect(&self.cluster, &self.topic, self.partition).await?,
        };
        let end = leader.end().await?;
        self.leader = Some(leader);
        Ok(end)
    }
}
