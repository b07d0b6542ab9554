//! A batch of users: each line creates or renames one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kafka::{Begun, ProduceError};
use models::{DirectoryChange, Record, User, UserId, UserName};
use serde::Deserialize;
use service::{Current, Problem, read_json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{Block, Pass, Work, put_refused, put_result};
use crate::problem::connecting;
use crate::publisher::{Publisher, SendError};

/// A user to create or to rename.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// The id: a text, or an integer.
    #[schema(schema_with = models::schema::user_id)]
    id: UserId,
    /// The name to show, of 1 to 200 characters without control characters.
    #[schema(schema_with = models::schema::name)]
    name: UserName,
}

/// Bytes of a record beyond the text of its line.
const RECORD_BYTES: usize = 200;

/// Creates or renames users.
pub(crate) struct NewUsers {
    publisher: Arc<Current<Publisher>>,
    produce_timeout: Duration,
    /// Bytes of lines that may be in hand.
    room: Arc<Semaphore>,
    max_room: usize,
}

/// Lines whose records are on their way, and what they take of the room.
pub(crate) struct LinesInHand {
    lines: Vec<(u64, Result<UserId, Problem>)>,
    begun: Option<(Arc<Publisher>, VecDeque<Begun>)>,
    deadline: Instant,
    _room: Option<OwnedSemaphorePermit>,
}

impl NewUsers {
    pub(crate) fn new(
        publisher: Arc<Current<Publisher>>,
        produce_timeout: Duration,
        max_room: usize,
    ) -> Self {
        Self { publisher, produce_timeout, room: Arc::new(Semaphore::new(max_room)), max_room }
    }
}

impl Work for NewUsers {
    type InHand = LinesInHand;

    async fn begin(&self, block: Block, pass: &Pass<LinesInHand>) {
        let (mut lines, mut records) = (Vec::new(), Vec::new());
        for (number, line) in block.lines() {
            let user = line.and_then(record).map(|(id, record)| {
                records.push(record);
                id
            });
            lines.push((number, user));
        }
        let bytes = block.size_bytes() + RECORD_BYTES * lines.len();
        let bytes = u32::try_from(bytes.min(self.max_room)).unwrap_or(u32::MAX);
        // It is never closed.
        let room = self.room.clone().acquire_many_owned(bytes).await.ok();
        let deadline = Instant::now() + self.produce_timeout;
        let begun = match self.publisher.get() {
            Some(publisher) => {
                let begun = publisher.begin_users(records, deadline).await;
                Some((publisher, begun))
            }
            None => None,
        };
        pass.on(LinesInHand { lines, begun, deadline, _room: room }).await;
    }

    async fn finish(&self, in_hand: LinesInHand, out: &mut Vec<u8>) {
        let LinesInHand { lines, mut begun, deadline, _room } = in_hand;
        for (number, user) in lines {
            let put = match (&user, &mut begun) {
                (Err(problem), _) => Err(problem.clone()),
                (Ok(_), None) => Err(connecting()),
                (Ok(_), Some((publisher, begun))) => put(publisher, begun, deadline).await,
            };
            match (put, user) {
                (Ok(is_new), Ok(id)) => {
                    let status = if is_new { 201 } else { 200 };
                    put_result(out, number, status, format!(r#"{{"id":"{id}"}}"#).as_bytes());
                }
                (Err(problem), _) | (_, Err(problem)) => put_refused(out, number, &problem),
            }
        }
    }
}

async fn put(
    publisher: &Publisher,
    begun: &mut VecDeque<Begun>,
    deadline: Instant,
) -> Result<bool, Problem> {
    let begun = begun.pop_front().ok_or(SendError::Produce(ProduceError::Stopped))?;
    Ok(publisher.user_is_put(begun, deadline).await?)
}

fn record(line: &[u8]) -> Result<(UserId, Record), Problem> {
    let NewUser { id, name } = read_json(line)?;
    let user = User { id: id.clone(), name: name.into() };
    let record = DirectoryChange::Present(user).to_record(service::now());
    Ok((id, record.map_err(SendError::from)?))
}
