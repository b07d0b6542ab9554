//! Numbers and lengths as record batches write them (message format 2, KIP-98): zigzag, seven bits
//! in a byte, the lowest first.

/// Appends a number.
pub fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut raw = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while raw >= 0x80 {
        out.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends bytes behind their length; what is not there has the length -1.
pub fn put_sized(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

/// How many bytes [`put_varint`] appends.
pub fn varint_bytes(number: i64) -> usize {
    let raw = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let bits = 64 - (raw | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// How many bytes [`put_sized`] appends.
pub fn sized_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_bytes(bytes.len() as i64) + bytes.len())
}

/// Reads such numbers and bytes: what is left of some bytes.
#[derive(Clone, Copy, Debug)]
pub struct VarintReader<'a>(pub &'a [u8]);

impl<'a> VarintReader<'a> {
    /// A number of at most ten bytes.
    pub fn number(&mut self) -> Option<i64> {
        let mut raw = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            raw |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
            }
        }
        None
    }

    /// Bytes behind their length.
    pub fn sized(&mut self) -> Option<&'a [u8]> {
        self.nullable()?
    }

    /// Bytes that may not be there, which the length -1 says.
    pub fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        let length = self.number()?;
        if length == -1 {
            return Some(None);
        }
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(taken))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(number: i64, bytes: Option<Vec<u8>>) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            prop_assert_eq!(out.len(), varint_bytes(number));
            put_sized(&mut out, bytes.as_deref());
            prop_assert_eq!(out.len(), varint_bytes(number) + sized_bytes(bytes.as_deref()));
            let mut reader = VarintReader(&out);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.nullable(), Some(bytes.as_deref()));
            prop_assert!(reader.0.is_empty());
            let mut cut = VarintReader(&out[..out.len() - 1]);
            prop_assert_eq!(cut.number().and_then(|_| cut.nullable()), None);
        }
    }

    #[test]
    fn small_numbers_are_these_bytes() {
        for (number, bytes) in
            [(0, &[0][..]), (-1, &[1]), (1, &[2]), (63, &[126]), (64, &[128, 1]), (-65, &[129, 1])]
        {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
        assert_eq!(VarintReader(&[0x80; 11]).number(), None);
    }
}
