//! JSON that is passed on as it came.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON value as text, passed on to the byte: numbers keep their digits, objects their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
