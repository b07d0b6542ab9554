//! Which partition a key belongs to.

use std::fmt;
use std::str::FromStr;

use models::{Partition, UserId};
use serde::{Deserialize, Serialize};

/// The rule that gives a key its home partition. A whole installation has one, kept in `$layout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partitioner {
    /// The Java client's default: murmur2, as in `BuiltInPartitioner.partitionForKey`.
    #[default]
    Java,
    /// The default of the Go client sarama: FNV-1a, as in its `NewHashPartitioner`.
    Sarama,
}

/// The name is no partitioner's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown partitioner {0:?}: it is java or sarama")]
pub struct UnknownPartitioner(String);

impl Partitioner {
    /// The home partition of a user, given how many partitions there are.
    pub fn partition(self, user_id: &UserId, partitions: i32) -> Partition {
        let key = user_id.as_str().as_bytes();
        let partitions = partitions.max(1);
        Partition(match self {
            Self::Java => (murmur2(key) & 0x7fff_ffff) % partitions,
            Self::Sarama => (fnv1a(key) % partitions).abs(),
        })
    }
}

impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Java => "java",
            Self::Sarama => "sarama",
        })
    }
}

impl FromStr for Partitioner {
    type Err = UnknownPartitioner;

    fn from_str(name: &str) -> Result<Self, UnknownPartitioner> {
        match name {
            "java" => Ok(Self::Java),
            "sarama" => Ok(Self::Sarama),
            _ => Err(UnknownPartitioner(name.to_owned())),
        }
    }
}

/// MurmurHash2, 32 bits, with Kafka's seed, read as the signed integer Java has.
fn murmur2(key: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Java's array length is an i32; a user id has at most 128 bytes.
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = little_endian(word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash = (hash ^ little_endian(rest)).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

/// FNV-1a, 32 bits, read as a signed integer.
fn fnv1a(key: &[u8]) -> i32 {
    key.iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
        .cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_numbers_of_the_java_client() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn the_tutorials_users_have_the_homes_other_clients_give_them() {
        let homes = |partitioner: Partitioner| {
            ["1", "2", "3", "4"].map(|id| partitioner.partition(&id.parse().unwrap(), 6).0)
        };
        assert_eq!(homes(Partitioner::Java), [3, 2, 5, 1]);
        assert_eq!(homes(Partitioner::Sarama), [4, 1, 2, 1]);
    }

    #[test]
    fn names_are_read_back() {
        for partitioner in [Partitioner::Java, Partitioner::Sarama] {
            assert_eq!(partitioner.to_string().parse(), Ok(partitioner));
        }
        assert!("Java".parse::<Partitioner>().is_err());
    }
}
