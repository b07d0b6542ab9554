//! What a compressed batch holds. A few bytes may claim to be gigabytes: what comes out is bounded.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;

use super::unread::{Unread, damaged};

/// How the framing begins that Java's snappy puts around its blocks; other clients may send one
/// block without any.
const XERIAL_MAGIC: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// Its version, and the oldest version that can read it.
const XERIAL_VERSIONS_BYTES: usize = 8;

/// The records of a batch as they were before they were compressed, at most `room` bytes. The codec
/// is the number in the batch's attributes.
pub(crate) fn decompress(codec: i16, bytes: &Bytes, room: usize) -> Result<Bytes, Unread> {
    let mut out = Vec::new();
    match codec {
        0 => return Ok(bytes.clone()),
        1 => read("gzip", MultiGzDecoder::new(bytes.as_ref()), room, &mut out)?,
        2 => snappy(bytes, room, &mut out)?,
        3 => lz4(bytes, room, &mut out)?,
        4 => zstd(bytes, room, &mut out)?,
        other => return Err(damaged(format!("its compression {other} is unknown"))),
    }
    // Without what was set aside for more.
    Ok(out.into_boxed_slice().into())
}

/// Appends all that a decoder yields.
fn read(codec: &str, decoder: impl Read, room: usize, out: &mut Vec<u8>) -> Result<(), Unread> {
    let left = room.saturating_sub(out.len());
    let limit = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(out).map_err(failed(codec))?;
    if out.len() > room { Err(Unread::TooLarge) } else { Ok(()) }
}

fn failed<E: std::fmt::Display>(codec: &str) -> impl Fn(E) -> Unread {
    move |error| damaged(format!("its {codec} cannot be decompressed: {error}"))
}

/// The decoder's own bound of a window, 128 MiB, stays: the highest levels ask for it, and only what
/// is written of it takes memory.
fn zstd(bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<(), Unread> {
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(failed("zstd"))?;
    read("zstd", decoder, room, out)
}

/// One frame behind the other.
fn lz4(mut bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<(), Unread> {
    while !bytes.is_empty() {
        read("lz4", FrameDecoder::new(&mut bytes), room, out)?;
    }
    Ok(())
}

fn snappy(bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<(), Unread> {
    let Some(framed) = bytes.strip_prefix(XERIAL_MAGIC) else {
        return block(bytes, room, out);
    };
    let mut rest = framed.get(XERIAL_VERSIONS_BYTES..).ok_or_else(cut)?;
    while let Some((length, blocks)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut())?;
        let (first, others) = blocks.split_at_checked(length).ok_or_else(cut)?;
        block(first, room, out)?;
        rest = others;
    }
    if rest.is_empty() { Ok(()) } else { Err(cut()) }
}

fn cut() -> Unread {
    failed("snappy")("it is cut off")
}

/// The block says how long it is before it is decompressed.
fn block(bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<(), Unread> {
    let length = snap::raw::decompress_len(bytes).map_err(failed("snappy"))?;
    if length > room.saturating_sub(out.len()) {
        return Err(Unread::TooLarge);
    }
    let block = snap::raw::Decoder::new().decompress_vec(bytes).map_err(failed("snappy"))?;
    out.extend_from_slice(&block);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn snappy(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    fn xerial(blocks: &[&[u8]]) -> Vec<u8> {
        let mut out = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in blocks {
            let block = snappy(block);
            out.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            out.extend(block);
        }
        out
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    /// The same text in every form there is.
    fn forms(text: &[u8]) -> Vec<(i16, Vec<u8>)> {
        let (left, right) = text.split_at(text.len() / 2);
        vec![
            (0, text.to_vec()),
            (1, gzip(text)),
            (1, [gzip(left), gzip(right)].concat()),
            (2, snappy(text)),
            (2, xerial(&[text])),
            (2, xerial(&[left, right])),
            (3, lz4(text)),
            (3, [lz4(left), lz4(right)].concat()),
            (4, zstd(text)),
            (4, [zstd(left), zstd(right)].concat()),
        ]
    }

    #[test]
    fn every_form_is_decompressed_up_to_the_last_byte_there_is_room_for() {
        let text: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
        for (at, (codec, bytes)) in forms(&text).into_iter().enumerate() {
            let bytes = bytes.into();
            assert_eq!(decompress(codec, &bytes, text.len()).unwrap(), text, "form {at}");
            if codec != 0 {
                let short = decompress(codec, &bytes, text.len() - 1);
                assert_eq!(short, Err(Unread::TooLarge), "form {at}");
            }
        }
    }

    #[test]
    fn what_claims_to_be_large_is_not_believed() {
        // A block of 4 GiB less one, in six bytes.
        let claims = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]);
        assert_eq!(decompress(2, &claims, 1_000), Err(Unread::TooLarge));
    }

    #[test]
    fn what_cannot_be_decompressed_says_why() {
        for codec in [5, 6, 7] {
            let reason = format!("its compression {codec} is unknown");
            assert_eq!(decompress(codec, &"text".into(), 10), Err(Unread::Damaged(reason)));
        }
        let cases = [(1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")];
        for (codec, name) in cases {
            let Err(Unread::Damaged(reason)) = decompress(codec, &"no such thing".into(), 1_000)
            else {
                panic!("{name}");
            };
            assert!(
                reason.starts_with(&format!("its {name} cannot be decompressed: ")),
                "{reason}"
            );
        }
        let cut = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1], &[0, 0, 0, 9, 1]].concat();
        assert!(matches!(decompress(2, &cut.into(), 1_000), Err(Unread::Damaged(_))));
    }

    proptest! {
        #[test]
        fn damage_never_takes_more_than_the_room(
            text: Vec<u8>, form in 0..10_usize, at: prop::sample::Index, byte: u8,
        ) {
            let (codec, mut bytes) = forms(&text).swap_remove(form);
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(out) = decompress(codec, &bytes.into(), 2 * text.len() + 100) {
                prop_assert!(out.len() <= 2 * text.len() + 100);
            }
        }
    }
}
