//! Names of users and services.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::text_limits::{self, InvalidText};

/// The longest name, in characters.
pub const MAX_NAME_CHARACTERS: usize = 200;

/// A name to show, of 1 to 200 characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserName(String);

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        text_limits::check(text, 1..=MAX_NAME_CHARACTERS)?;
        Ok(Self(text.to_owned()))
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
