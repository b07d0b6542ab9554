//! A look at a request's structure before it is decoded.
//!
//! The decoder makes room for as many array items as the bytes claim. So the claim is checked first:
//! every item is there, and there are not too many of them.

/// Array items in one request. Larger: a request of many empty items takes more memory than its bytes,
/// here some 20 MB. Smaller: fewer partitions a request.
const ITEMS: usize = 100_000;

/// Tagged fields (KIP-482) in one place; known clients send a few at most.
const TAGS: usize = 64;

/// The bytes are not the request they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed request")]
pub(crate) struct Malformed;

/// What a step of the walk returns.
pub(crate) type Step = Result<(), Malformed>;

/// A place in a request.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
    pub(crate) version: i16,
    flexible: bool,
    items: usize,
}

impl<'a> Walk<'a> {
    /// `flexible` says whether lengths are compact and tagged fields follow (KIP-482).
    pub(crate) fn new(rest: &'a [u8], version: i16, flexible: bool) -> Walk<'a> {
        Walk { rest, version, flexible, items: ITEMS }
    }

    /// What was not walked yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn skip(&mut self, bytes: usize) -> Step {
        self.rest = self.rest.get(bytes..).ok_or(Malformed)?;
        Ok(())
    }

    /// Skips `bytes` if the version has the field.
    pub(crate) fn skip_since(&mut self, version: i16, bytes: usize) -> Step {
        if self.version < version {
            return Ok(());
        }
        self.skip(bytes)
    }

    /// A string, which may be null.
    pub(crate) fn string(&mut self) -> Step {
        let length = if self.flexible {
            self.compact_length()?
        } else {
            let length = i16::from_be_bytes(self.take()?);
            usize::try_from(length).unwrap_or(0)
        };
        self.skip(length)
    }

    /// Bytes, which may be null.
    pub(crate) fn bytes(&mut self) -> Step {
        let length = self.long_length()?;
        self.skip(length)
    }

    /// An array, which may be null.
    pub(crate) fn array(&mut self, item: fn(&mut Walk<'_>) -> Step) -> Step {
        let length = self.long_length()?;
        self.items = self.items.checked_sub(length).ok_or(Malformed)?;
        for _ in 0..length {
            item(self)?;
        }
        Ok(())
    }

    /// The tagged fields at the end of a structure.
    pub(crate) fn tags(&mut self) -> Step {
        if !self.flexible {
            return Ok(());
        }
        let count = self.varint()?;
        if count > TAGS {
            return Err(Malformed);
        }
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Ok(())
    }

    fn long_length(&mut self) -> Result<usize, Malformed> {
        if self.flexible {
            return self.compact_length();
        }
        let length = i32::from_be_bytes(self.take()?);
        Ok(usize::try_from(length).unwrap_or(0))
    }

    /// A compact length is one more than the length; 0 is null.
    fn compact_length(&mut self) -> Result<usize, Malformed> {
        Ok(self.varint()?.saturating_sub(1))
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            let part = u32::from(byte & 0x7f);
            value |= part.checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return usize::try_from(value).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(bytes: &[u8], flexible: bool) -> Step {
        let mut walk = Walk::new(bytes, 0, flexible);
        walk.array(|item| item.string())?;
        walk.tags()
    }

    #[test]
    fn what_is_there_passes() {
        assert_eq!(strings(&[0, 0, 0, 2, 0, 1, b'a', 0xff, 0xff], false), Ok(()));
        assert_eq!(strings(&[0xff, 0xff, 0xff, 0xff], false), Ok(()));
        assert_eq!(strings(&[3, 2, b'a', 0, 1, 9, 1, 7], true), Ok(()));
        assert_eq!(strings(&[0, 0], true), Ok(()));
    }

    #[test]
    fn what_only_claims_to_be_there_does_not() {
        let cases: [(&[u8], bool); 6] = [
            (&[0, 0, 0], false),
            (&[0x7f, 0xff, 0xff, 0xff], false),
            (&[0, 0, 0, 1, 0, 5, b'a'], false),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f], true),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], true),
            (&[1, 0xff, 0x7f], true),
        ];
        for (bytes, flexible) in cases {
            assert_eq!(strings(bytes, flexible), Err(Malformed), "{bytes:?}");
        }
    }
}
