//! What a short text may be.

use std::ops::RangeInclusive;

/// Why a text is refused. Without the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// Too few characters.
    #[error("fewer than {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("more than {0} characters")]
    TooLong(usize),
    /// A control character, which lists and logs would be torn by.
    #[error("has the control character {0:?}")]
    Control(char),
}

pub(crate) fn check(text: &str, characters: RangeInclusive<usize>) -> Result<(), InvalidText> {
    let count = text.chars().count();
    if count < *characters.start() {
        return Err(InvalidText::TooShort(*characters.start()));
    }
    if count > *characters.end() {
        return Err(InvalidText::TooLong(*characters.end()));
    }
    text.chars().find(|c| c.is_control()).map_or(Ok(()), |c| Err(InvalidText::Control(c)))
}
