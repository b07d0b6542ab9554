//! Batches that take far more memory than they have bytes.

use crate::batches::{Batch, Codec, Raw, raw};
use crate::support::TestBroker;
use crate::unreadable::{fetch, found, texts};

#[tokio::test]
async fn what_decompresses_without_end_is_passed_over() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    let bomb = raw(0, &"x".repeat(65 * 1024 * 1024));
    for codec in Codec::ALL {
        let batch = Batch::new(0, std::slice::from_ref(&bomb)).compressed(codec);
        let batch = if batch.payload.len() < 900_000 {
            batch.bytes()
        } else {
            // It does not compress well enough: its claim alone must do.
            Batch { payload: b"\xff\xff\xff\xff\x0f".to_vec(), ..batch }.bytes()
        };
        wire.append("t", batch).await;
    }
    wire.append("t", Batch::of(0, &["behind"]).bytes()).await;
    let fetched = fetch(&mut broker.reader("t"), 0).await;
    assert_eq!(texts(&fetched), found(&[(5, "behind")]));
    let reasons: Vec<_> = fetched.unreadable.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(reasons, ["its records take more than 67108864 bytes"; 5]);
}

#[tokio::test]
async fn headers_of_two_bytes_count_for_what_they_take_in_memory() {
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    let bomb = Raw { headers: vec![(Vec::new(), None); 1_200_000], ..raw(0, "text") };
    wire.append("t", Batch::new(0, &[bomb]).compressed(Codec::Zstd).bytes()).await;
    wire.append("t", Batch::of(0, &["behind"]).bytes()).await;
    let fetched = fetch(&mut broker.reader("t"), 0).await;
    assert_eq!(texts(&fetched), found(&[(1, "behind")]));
    assert_eq!(fetched.unreadable[0].reason, "its records take more than 67108864 bytes");
}

#[tokio::test]
async fn batches_that_together_take_too_much_come_one_after_the_other() {
    let large = Batch::new(0, &[raw(0, &"x".repeat(40 * 1024 * 1024))]).compressed(Codec::Zstd);
    let broker = TestBroker::with_topic("t", &[]).await;
    let mut wire = broker.wire().await;
    for _ in 0..3 {
        wire.append("t", large.bytes()).await;
    }
    let mut reader = broker.reader("t");
    for offset in 0..3 {
        let fetched = fetch(&mut reader, offset).await;
        assert_eq!((fetched.records.len(), fetched.next_offset.0), (1, offset + 1));
        assert!(fetched.unreadable.is_empty());
    }
}
