//! FNV-1a, and what it tells apart.

/// FNV-1a with 64 bits (RFC 9923). It tells accidents apart, not attacks: two inputs with one hash
/// are easily made.
///
/// Its numbers are stored: another function here, and every store of inboxes has to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fnv1a(u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Fnv1a {
    /// Takes these bytes in too.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    /// The hash of all bytes so far.
    pub fn finish(self) -> u64 {
        self.0
    }
}

impl Default for Fnv1a {
    fn default() -> Self {
        Self(OFFSET_BASIS)
    }
}

/// What tells a retry from another request under the same Idempotency-Key: a hash of the header
/// that the publisher wrote of the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The fingerprint that a header with these bytes stands for.
    pub fn of(header: &[u8]) -> Self {
        let mut hash = Fnv1a::default();
        hash.add(header);
        Self(hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_and_the_prime_are_those_of_fnv_1a() {
        assert_eq!(Fingerprint::of(b""), Fingerprint(0xcbf2_9ce4_8422_2325));
        assert_eq!(Fingerprint::of(b"foobar"), Fingerprint(0x8594_4171_f739_67e8));
    }
}
