//! The one policy by which calls are made again.

use super::credentials::Renewable;
use super::{Answer, AwsOptions, Class, Faults, class_of, classify, code_of};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_ports::{PortError, Result};
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A throttled call waits so many times longer than a failed one.
const THROTTLE_FACTOR: u32 = 4;
/// New credentials that expire as well are not asked for without end.
const EXPIRED_ATTEMPTS: u32 = 3;

/// Attempts, budget and backoff. Clones share fault counts and credentials; each may have limits of its own.
#[derive(Debug, Clone)]
pub struct Retry {
    attempts: u32,
    budget: Duration,
    base: Duration,
    cap: Duration,
    chance: Arc<AtomicU64>,
    faults: Faults,
    renewable: Option<Renewable>,
}

impl Retry {
    pub(super) fn new(options: &AwsOptions, renewable: Option<Renewable>) -> Self {
        Self {
            attempts: options.attempts.max(1),
            budget: options.budget,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(20),
            chance: Arc::new(AtomicU64::new(RandomState::new().hash_one(0_u8))),
            faults: Faults::default(),
            renewable,
        }
    }

    /// With another number of attempts, the first included.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// With another time for all attempts. An attempt that has begun is not cut short.
    #[must_use]
    pub fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// With another wait after the first attempt and another longest one.
    #[must_use]
    pub fn with_backoff(mut self, base: Duration, cap: Duration) -> Self {
        (self.base, self.cap) = (base, cap);
        self
    }

    /// With waits that are the same in each run.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.chance = Arc::new(AtomicU64::new(seed));
        self
    }

    /// Attempts, the first included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Time for all attempts.
    pub fn budget(&self) -> Duration {
        self.budget
    }

    /// The failed attempts so far.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How long to wait after a failed attempt (from 1): between nothing and twice as much each time, so that many who
    /// failed together do not come back together.
    pub fn wait(&self, attempt: u32, class: Class) -> Duration {
        let factor = if class == Class::Throttle { THROTTLE_FACTOR } else { 1 };
        let doubled = self.base.saturating_mul(factor).saturating_mul(1 << attempt.saturating_sub(1).min(20));
        doubled.min(self.cap).mul_f64(self.draw())
    }

    /// A number from 0 to 1 (splitmix64).
    fn draw(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.chance.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Leaves a fault event, unless the failure is an answer that the caller reckoned with.
    pub(super) fn note<E, R>(&self, operation: &str, attempt: u32, error: &SdkError<E, R>) -> Class
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Answer + Debug + 'static,
    {
        let class = class_of(error);
        if class.is_fault() {
            let request_id = match error {
                SdkError::ServiceError(failure) => failure.raw().request_id(),
                SdkError::ResponseError(failure) => failure.raw().request_id(),
                _ => None,
            };
            self.faults.note(operation, code_of(error), class, request_id.unwrap_or_default(), attempt);
        }
        class
    }

    fn refusals(&self) -> u64 {
        self.renewable.as_ref().map_or(0, Renewable::refusals)
    }
}

/// Makes a call until it succeeds, fails for good, or the attempts or the time are used up.
///
/// What a lost answer leaves open the caller settles: a call that fails here may have had its effect.
///
/// # Errors
/// As [`classify`](super::classify()) says of the last failure.
pub async fn retry<T, E, R, F>(policy: &Retry, operation: &str, what: &str, call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = std::result::Result<T, SdkError<E, R>>>,
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Answer + Debug + Send + Sync + 'static,
{
    retry_while(policy, operation, what, || Ok(()), call).await
}

/// As [`retry`], for calls that may only be made while something holds: `allowed` is asked before each attempt.
///
/// # Errors
/// As [`retry`], and at once where `allowed` fails.
pub async fn retry_while<T, E, R, F>(
    policy: &Retry,
    operation: &str,
    what: &str,
    allowed: impl Fn() -> Result<()>,
    mut call: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = std::result::Result<T, SdkError<E, R>>>,
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Answer + Debug + Send + Sync + 'static,
{
    let begun = Instant::now();
    let (mut attempt, mut expired) = (1, 0);
    loop {
        allowed()?;
        let refusals = policy.refusals();
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let class = policy.note(operation, attempt, &error);
        if class == Class::Expired {
            expired += 1;
            policy.renewable.iter().for_each(|renewable| renewable.refuse(refusals));
        }
        let wait = policy.wait(attempt, class);
        let used_up = attempt >= policy.attempts || expired >= EXPIRED_ATTEMPTS;
        if !class.is_retried() || used_up || begun.elapsed() + wait > policy.budget {
            return Err(given_up(classify(operation, what, error), class, attempt, begun.elapsed()));
        }
        sleep(wait).await;
        attempt += 1;
    }
}

fn given_up(error: PortError, class: Class, attempts: u32, time: Duration) -> PortError {
    if !class.is_retried() || attempts == 1 {
        return error;
    }
    let message = format!("{}; gave up after {attempts} attempts in {:.1} s", error.message, time.as_secs_f64());
    PortError { message, ..error }
}
