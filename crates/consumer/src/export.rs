//! A whole inbox as lines of JSON, page by page.

use std::sync::Arc;
use std::time::Duration;

use inbox::{Page, Query};
use models::{Offset, UserId};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::inboxes::{Inboxes, ReadError};
use crate::views::{Log, write_line};

/// Notifications that are read at once, without holding what was read before: no snapshot is kept
/// while a slow client reads. Larger, and an export takes more memory; smaller, and it takes longer.
const PAGE: usize = 500;

/// Bytes of notifications that are read at once; the last one may pass this.
const PAGE_BYTES: usize = 1024 * 1024;

/// How long a client may take to make room for the next page. Longer, and clients that stopped
/// reading keep others from exporting; shorter, and slow connections are cut.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A piece of an export. Only what ends with [`Piece::End`] is whole.
pub(crate) enum Piece {
    /// Some lines.
    Lines(Vec<u8>),
    /// There are no more.
    End,
}

/// Exports an inbox, newest first, into a channel of a few pieces; `turn` is kept until then.
pub(crate) fn start(
    inboxes: Arc<Inboxes>,
    user_id: UserId,
    turn: OwnedSemaphorePermit,
) -> mpsc::Receiver<Piece> {
    let (pieces, received) = mpsc::channel(1);
    tokio::spawn(async move {
        let export = Export { inboxes, user_id, pieces };
        if let Err(error) = export.run().await {
            tracing::error!(%error, "an export ends early");
        }
        drop(turn);
    });
    received
}

struct Export {
    inboxes: Arc<Inboxes>,
    user_id: UserId,
    pieces: mpsc::Sender<Piece>,
}

impl Export {
    async fn run(&self) -> Result<(), ReadError> {
        let mut before = None;
        loop {
            let (lines, next) = self.page(before).await?;
            if !lines.is_empty() && !self.send(Piece::Lines(lines)).await {
                return Ok(());
            }
            if next.is_none() {
                self.send(Piece::End).await;
                return Ok(());
            }
            before = next;
        }
    }

    /// Whether the client is there to read on.
    async fn send(&self, piece: Piece) -> bool {
        let sending = self.pieces.send(piece);
        matches!(tokio::time::timeout(CLIENT_TIMEOUT, sending).await, Ok(Ok(())))
    }

    async fn page(&self, before: Option<Offset>) -> Result<(Vec<u8>, Option<Offset>), ReadError> {
        let inbox = self.inboxes.of(&self.user_id).await?;
        let log = inbox.log;
        let query = Query { before, max_bytes: PAGE_BYTES, ..Query::newest(PAGE) };
        inbox.page(query, move |page| Ok((lines(log, &page)?, page.next))).await
    }
}

fn lines(log: Log, page: &Page) -> Result<Vec<u8>, inbox::InboxError> {
    let mut lines = Vec::new();
    for entry in &page.entries {
        let notification = log.notification(entry)?;
        write_line(&mut lines, &notification);
        lines.push(b'\n');
    }
    Ok(lines)
}
