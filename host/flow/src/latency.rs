//! How long batches wait, from when they are cut until they stand in a segment.

use std::time::Duration;

/// Buckets to each power of two: values are told apart to within an eighth.
const PARTS: usize = 8;

/// A distribution of times, in buckets that grow with the value.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Counts; bucket `b` is about 2^(b / 8) microseconds.
    buckets: Vec<u64>,
    max: Duration,
    count: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { buckets: vec![0; 64 * PARTS], max: Duration::ZERO, count: 0 }
    }
}

impl Latency {
    pub(crate) fn add(&mut self, time: Duration) {
        let micros = (time.as_micros() as u64).max(1);
        let bucket = ((micros as f64).log2() * PARTS as f64) as usize;
        self.buckets[bucket.min(64 * PARTS - 1)] += 1;
        self.max = self.max.max(time);
        self.count += 1;
    }

    /// Batches.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The time that a share of the batches kept below, to within an eighth.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (share * self.count as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted && seen > 0
        });
        let upper = |bucket: usize| Duration::from_micros(2f64.powf((bucket + 1) as f64 / PARTS as f64) as u64);
        bucket.map_or(Duration::ZERO, |bucket| upper(bucket).min(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_within_an_eighth() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), Duration::ZERO);
        (1..=1000).for_each(|ms| latency.add(Duration::from_millis(ms)));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = latency.quantile(share).as_secs_f64() * 1e3;
            assert!((found / ms - 1.0).abs() < 0.125, "{share}: {found} ms");
        }
        assert_eq!(latency.max(), Duration::from_secs(1));
    }
}
