//! Reading a request's body within bounds.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one body may cost.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The largest body, in bytes.
    pub max_bytes: usize,
    /// How long it may take to arrive.
    pub timeout: Duration,
}

/// What all bodies being read may cost together, in bytes. At the bound the newcomer is refused.
#[derive(Clone)]
pub struct BodyBudget(Arc<Semaphore>);

/// Bytes of a budget that are in use.
pub struct Reserved {
    _permit: OwnedSemaphorePermit,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Larger than allowed.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// The bound.
        max_bytes: usize,
    },
    /// It did not arrive in time.
    #[error("the body did not arrive within {timeout:?}")]
    TooSlow {
        /// The bound.
        timeout: Duration,
    },
    /// The bodies of other requests take all the room there is.
    #[error("too many large requests at once")]
    Busy,
    /// The client stopped sending, or sent what is no body.
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

impl BodyBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub async fn read(
        &self,
        headers: &HeaderMap,
        payload: Payload,
        limits: BodyLimits,
    ) -> Result<Bytes, BodyError> {
        let declared =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: usize| length > limits.max_bytes) {
            return Err(BodyError::TooLarge { max_bytes: limits.max_bytes });
        }
        match tokio::time::timeout(limits.timeout, self.collect(payload, limits.max_bytes)).await {
            Ok(result) => result,
            Err(_) => Err(BodyError::TooSlow { timeout: limits.timeout }),
        }
    }

    /// Takes so many bytes of the budget for what a body becomes, until the answer is dropped.
    ///
    /// # Errors
    /// [`BodyError::Busy`].
    pub fn reserve(&self, bytes: usize) -> Result<Reserved, BodyError> {
        let bytes = u32::try_from(bytes).map_err(|_| BodyError::Busy)?;
        let permit = self.0.clone().try_acquire_many_owned(bytes);
        Ok(Reserved { _permit: permit.map_err(|_| BodyError::Busy)? })
    }

    async fn collect(&self, mut payload: Payload, max_bytes: usize) -> Result<Bytes, BodyError> {
        let mut body = BytesMut::new();
        let mut permits: Vec<OwnedSemaphorePermit> = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
            if body.len() + chunk.len() > max_bytes {
                return Err(BodyError::TooLarge { max_bytes });
            }
            let bytes = u32::try_from(chunk.len()).map_err(|_| BodyError::Busy)?;
            let permit = self.0.clone().try_acquire_many_owned(bytes);
            permits.push(permit.map_err(|_| BodyError::Busy)?);
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}
