//! The real program, killed while it writes: what it acknowledged is there when it is started again.

use std::collections::BTreeMap;

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::records::RecordBatchDecoder;

use crate::program::Program;
use crate::support::{KEEP, Wire, batch, fetch, only_partition, produce};

const ROUNDS: usize = 6;

/// Requests on their way at once.
const IN_FLIGHT: usize = 16;

/// Small and large values, each unlike any other.
fn value(round: usize, number: usize) -> String {
    let size = [10, 200, 5_000, 60_000][number % 4];
    format!("{round}.{number}.{}", "x".repeat(size))
}

/// Produces until `acknowledged` answers are there and others are still on their way.
async fn produce_some(wire: &mut Wire, round: usize, acknowledged: usize) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    let mut sent = 0;
    while found.len() < acknowledged {
        while sent < found.len() + IN_FLIGHT {
            wire.send(9, &produce("t", batch(&[&value(round, sent)]))).await;
            sent += 1;
        }
        let (_, response) = wire.receive_any::<ProduceRequest>(9).await;
        let partition = only_partition(response);
        assert_eq!(partition.error_code, 0);
        found.insert(partition.base_offset, value(round, found.len()));
    }
    found
}

async fn fetch_all(wire: &mut Wire) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    loop {
        let next = found.len() as i64;
        let partition = wire.fetch(&fetch("t", next)).await;
        assert_eq!(partition.error_code, 0);
        if partition.high_watermark == next {
            return found;
        }
        let mut records = partition.records.unwrap();
        for set in RecordBatchDecoder::decode_all(&mut records).unwrap() {
            for record in set.records {
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                assert_eq!(found.insert(record.offset, value), None);
            }
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        let program = Program::start(dir.path());
        let mut wire = Wire::connect(&program.addr).await;
        if round == 0 {
            wire.create_topic("t", &[("segment.bytes", "1000000"), KEEP]).await;
        }
        let stored = fetch_all(&mut wire).await;
        for (offset, value) in &acknowledged {
            assert!(stored.get(offset) == Some(value), "offset {offset} is lost or changed");
        }
        let random = uuid::Uuid::new_v4().as_u128() % 300;
        let some = usize::try_from(random).unwrap();
        acknowledged.extend(produce_some(&mut wire, round, some).await);
        drop(program);
    }
    let program = Program::start(dir.path());
    let mut wire = Wire::connect(&program.addr).await;
    let stored = fetch_all(&mut wire).await;
    assert!(acknowledged.iter().all(|(offset, value)| stored.get(offset) == Some(value)));
    drop(program);
}
