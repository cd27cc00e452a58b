//! How far behind the readers are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far behind a shard's reader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardLag {
    /// The shard's id.
    pub shard: String,
    /// Age of what is read now, milliseconds: the greater of what the service says and of what the last record given
    /// shows. Nothing where the last fetch found nothing.
    pub behind_ms: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    last_arrival: Option<i64>,
    service: i64,
    quiet: bool,
}

/// What the readers of a stream saw last. The service's own figure alone is not enough: it is that of the fetch, which
/// may lie ahead of what was given.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<BTreeMap<String, Seen>>);

impl Lags {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records were given, the last of which arrived at this time.
    pub(super) fn gave(&self, shard: &str, last_arrival: i64, service: Option<i64>) {
        let seen = Seen { last_arrival: Some(last_arrival), service: service.unwrap_or_default(), quiet: false };
        self.lock().insert(shard.to_owned(), seen);
    }

    /// A fetch found nothing.
    pub(super) fn quiet(&self, shard: &str, service: Option<i64>) {
        let mut seen = self.lock();
        let seen = seen.entry(shard.to_owned()).or_default();
        (seen.quiet, seen.service) = (true, service.unwrap_or_default());
    }

    /// The shard is read to its end.
    pub(super) fn ended(&self, shard: &str) {
        self.lock().remove(shard);
    }

    pub(super) fn at(&self, now_ms: i64) -> Vec<ShardLag> {
        let of = |(shard, seen): (&String, &Seen)| {
            let age = seen.last_arrival.filter(|_| !seen.quiet).map_or(0, |arrival| now_ms - arrival);
            ShardLag { shard: shard.clone(), behind_ms: age.max(seen.service).max(0) }
        };
        self.lock().iter().map(of).collect()
    }
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_both_figures_counts_and_a_quiet_shard_is_not_behind() {
        let lags = Lags::default();
        let behind = |now| lags.at(now).iter().map(|lag| lag.behind_ms).collect::<Vec<_>>();
        lags.gave("s", 1_000, Some(0));
        assert_eq!(behind(5_000), [4_000], "although the service says nothing");
        lags.gave("s", 4_900, Some(700));
        assert_eq!(behind(5_000), [700]);
        lags.quiet("s", Some(0));
        assert_eq!(behind(900_000), [0]);
        lags.gave("s", 6_000, None);
        assert_eq!(behind(5_000), [0], "a clock that lags behind the service's");
        lags.ended("s");
        assert!(behind(5_000).is_empty());
    }
}
