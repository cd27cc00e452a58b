//! The contract of [`Source`], for shards of bytes and for shards of payloads.

use crate::memory::Payload;
use crate::{KnownShard, Payloads, Read, ShardInfo, ShardReader, Source};
use bytes::Bytes;
use sluice_batch::{Position, RecordPosition, Sequence};
use std::collections::BTreeSet;

/// Runs the contract on a source of closed byte shards with this content, in the order of their names.
///
/// # Panics
/// Where the contract is broken.
pub async fn source<S: Source>(make: impl AsyncFn(&[Vec<u8>]) -> S) {
    let lines = |n: u32| (0..n).flat_map(|i| format!("line {i} of some length\n").into_bytes()).collect::<Vec<u8>>();
    let content = [lines(3), vec![], lines(60_000), b"no newline at the end".to_vec(), vec![0xff, 0x00, 0x80]];
    let source = make(&content).await;
    let infos = check_discovery(&source, content.len()).await;
    for (info, expected) in infos.iter().zip(&content) {
        let all = Position::TrimHorizon;
        assert_eq!(&read_bytes(source.open(info, &all).await.unwrap().as_mut()).await, expected, "`{}`", info.label);
        let length = expected.len() as u64;
        for from in [0, 1, length / 2, length.saturating_sub(4096), length] {
            let from = from.min(length);
            let mut reader = source.open(info, &Position::offset(from)).await.unwrap();
            let rest = read_bytes_from(reader.as_mut(), from).await;
            assert!(rest == expected[from as usize..], "`{}` from {from}", info.label);
            assert!(matches!(reader.next().await.unwrap(), Read::End), "the end stays the end");
        }
        let mut reader = source.open(info, &Position::ShardEnd).await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Read::End), "nothing follows the end of a shard");
    }
    assert!(make(&[]).await.discover(&[]).await.unwrap().is_empty(), "a source without shards");
}

/// Runs the contract on a source of closed shards with these payloads, in the order of their names.
///
/// # Panics
/// Where the contract is broken.
pub async fn payload_source<S: Source>(make: impl AsyncFn(&[Vec<Payload>]) -> S) {
    let payload = |i: u128| Payload {
        position: RecordPosition { sequence: Sequence::new(1_000 + i / 2), sub: (i % 2) as u64, row: 0 },
        data: Bytes::from(format!("payload {i}")),
        arrived_at: 1_000_000 + i as i64,
    };
    let content = [(0..5).map(payload).collect::<Vec<_>>(), vec![], (0..40).map(payload).collect()];
    let source = make(&content).await;
    let infos = check_discovery(&source, content.len()).await;
    for (info, expected) in infos.iter().zip(&content) {
        let mut reader = source.open(info, &Position::TrimHorizon).await.unwrap();
        assert_eq!(&read_payloads(reader.as_mut()).await, expected, "`{}`", info.label);
        for (i, last) in expected.iter().enumerate() {
            let after = source.open(info, &Position::At(last.position)).await.unwrap();
            assert_eq!(read_payloads({ after }.as_mut()).await, expected[i + 1..], "what follows {}", last.position);
            let at = source.open(info, &Position::AtTimestamp(last.arrived_at)).await.unwrap();
            assert_eq!(read_payloads({ at }.as_mut()).await, expected[i..], "what arrived from {}", last.arrived_at);
        }
        let mut reader = source.open(info, &Position::ShardEnd).await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Read::Closed), "nothing follows the end of a shard");
    }
}

/// Discovery gives each shard once, in order, and the same again to whoever knows them.
async fn check_discovery<S: Source>(source: &S, shards: usize) -> Vec<ShardInfo> {
    let infos = source.discover(&[]).await.unwrap();
    assert_eq!(infos.len(), shards, "each shard is discovered");
    let references: BTreeSet<_> = infos.iter().map(|info| &info.shard).collect();
    assert_eq!(references.len(), shards, "each shard is discovered once");
    assert!(infos.is_sorted_by_key(|info| &info.label), "shards come in the order of their names");
    assert_eq!(source.discover(&[]).await.unwrap(), infos, "discovering moves nothing");
    let known: Vec<KnownShard> = infos
        .iter()
        .map(|info| KnownShard {
            shard: info.shard.clone(),
            note: info.note.clone(),
            position: info.size.map_or(Position::TrimHorizon, |size| Position::offset(size.min(1))),
        })
        .collect();
    let again = source.discover(&known).await.unwrap();
    let of = |infos: &[ShardInfo]| infos.iter().map(|info| info.shard.clone()).collect::<Vec<_>>();
    assert_eq!(of(&again), of(&infos), "a known shard comes back under the same reference");
    again
}

/// Reads a shard of bytes from its beginning to its end.
///
/// # Panics
/// Where a read fails, or is not where the one before ended.
pub async fn read_bytes(reader: &mut dyn ShardReader) -> Vec<u8> {
    read_bytes_from(reader, 0).await
}

async fn read_bytes_from(reader: &mut dyn ShardReader, from: u64) -> Vec<u8> {
    let (mut all, mut consumed) = (vec![], 0);
    loop {
        match reader.next().await.unwrap() {
            Read::Bytes { offset, data } => {
                assert_eq!(offset, from + all.len() as u64, "a read begins where the one before ended");
                assert!(!data.is_empty(), "a read of bytes is not empty");
                all.extend_from_slice(&data);
            }
            Read::End => return all,
            other => panic!("a closed shard of bytes gave {other:?}"),
        }
        assert!(reader.consumed() >= consumed, "progress never goes back");
        consumed = reader.consumed();
    }
}

async fn read_payloads(reader: &mut dyn ShardReader) -> Vec<Payload> {
    let mut all = vec![];
    loop {
        match reader.next().await.unwrap() {
            Read::Payloads(Payloads { positions, data, arrived_at, .. }) => {
                assert!(!positions.is_empty(), "a read of payloads is not empty");
                assert_eq!((positions.len(), positions.len()), (data.len(), arrived_at.len()));
                let each = positions.into_iter().zip(data).zip(arrived_at);
                all.extend(each.map(|((position, data), arrived_at)| Payload { position, data, arrived_at }));
            }
            Read::Closed => break,
            other => panic!("a closed shard of payloads gave {other:?}"),
        }
    }
    assert!(all.is_sorted_by_key(|payload| payload.position), "payloads come in the order of their positions");
    all
}
