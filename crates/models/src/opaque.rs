//! Texts that are opaque to clients: bytes with a sum, in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes and a CRC-32C of them as base64url without padding (RFC 4648, section 5).
///
/// The sum tells a damaged or guessed text from a real one. It is no signature.
pub(crate) fn seal(mut bytes: Vec<u8>) -> String {
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that were sealed; none: the text is not one that [`seal`] made.
pub(crate) fn open(text: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, sum) = bytes.split_last_chunk()?;
    if *sum != crc32c::crc32c(body).to_be_bytes() {
        return None;
    }
    bytes.truncate(body.len());
    Some(bytes)
}
