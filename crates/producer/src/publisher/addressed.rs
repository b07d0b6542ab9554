//! A request whose users are known, and its records.

use kafka::ProduceError;
use models::{
    IdempotencyKey, MAX_RECORD_BYTES, Notification, NotificationId, Partition, Record, SendRequest,
    Sender, Sent, Timestamp, User, UserId,
};

use super::SendError;

/// A request whose users are known.
pub(crate) struct Addressed {
    pub(crate) request: SendRequest,
    pub(crate) from: Sender,
    /// In the order of the request.
    pub(crate) to: Vec<User>,
}

/// A notification for one recipient, ready to be written.
pub(crate) struct Draft {
    pub(super) to: UserId,
    pub(super) id: NotificationId,
    pub(super) partition: Partition,
    pub(super) record: Record,
}

impl Addressed {
    /// One for each recipient. A fingerprint is on them only where a key makes their ids: nothing
    /// else could have the same id with another text.
    pub(super) fn into_drafts(
        self,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
        home: impl Fn(&UserId) -> Partition,
    ) -> Result<Vec<Draft>, SendError> {
        let Self { request, from, to } = self;
        let fingerprint = key.map(|_| request.fingerprint()).transpose()?;
        // Made once, before the first try: copies that retries append share them.
        let ids: Vec<_> = to.iter().map(|user| request.notification_id(key, &user.id)).collect();
        let SendRequest { message, title, url, tags, priority, data, expires_at, .. } = request;
        let Some(first) = to.first().cloned() else { return Ok(Vec::new()) };
        let notification =
            Notification { from, to: first, message, title, url, tags, priority, data, expires_at };
        let id = NotificationId::from_bytes([0; 16]);
        let mut sent = Sent { id, created_at: now, notification, fingerprint: None };
        let mut drafts = Vec::with_capacity(to.len());
        for (user, id) in to.into_iter().zip(ids) {
            // The text stays where it is; who gets it changes.
            (sent.notification.to, sent.id) = (user, id);
            let record = record(&sent, fingerprint.as_deref())?;
            let to = sent.notification.to.id.clone();
            drafts.push(Draft { partition: home(&to), to, id, record });
        }
        Ok(drafts)
    }
}

fn record(sent: &Sent, fingerprint: Option<&str>) -> Result<Record, SendError> {
    let mut record = Record::of_sent(sent)?;
    if let Some(fingerprint) = fingerprint {
        record = record.with_fingerprint(fingerprint);
    }
    let size_bytes = record.size_bytes();
    if size_bytes > MAX_RECORD_BYTES {
        return Err(ProduceError::TooLarge { size_bytes }.into());
    }
    Ok(record)
}
