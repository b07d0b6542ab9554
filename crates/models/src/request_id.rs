//! What tells requests with an Idempotency-Key apart.

use uuid::Uuid;

use crate::{IdempotencyKey, SendRequest};

/// 16 bytes that name a request, or what is in it, among all others: a UUID v5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

/// Namespace of names of requests; they are in no log.
const REQUESTS: Uuid = Uuid::from_u128(0x5a0e_3c71_1be4_4f0a_8e0b_6c55_92d1_7f3a);
/// Namespace of what is in requests; it is in no log.
const WHOLE: Uuid = Uuid::from_u128(0x9d4b_0f62_73c8_4a3e_b1d5_2e8f_046a_c917);

impl RequestId {
    /// Names the request that this sender sends with this key.
    pub fn of_key(request: &SendRequest, key: &IdempotencyKey) -> Self {
        let sender = request.sender_identity();
        let name = format!("{}:{sender}{}", sender.len(), key.as_str());
        Self(Uuid::new_v5(&REQUESTS, name.as_bytes()))
    }

    /// Names all that is in a request, the recipients and their order too.
    ///
    /// # Errors
    /// Never for texts; the error is that of the JSON writer.
    pub fn of_whole(request: &SendRequest) -> Result<Self, serde_json::Error> {
        let mut name = request.fingerprint()?;
        for recipient in request.to.as_slice() {
            // No id has a line break.
            name.push('\n');
            name.push_str(recipient.as_str());
        }
        Ok(Self(Uuid::new_v5(&WHOLE, name.as_bytes())))
    }
}
