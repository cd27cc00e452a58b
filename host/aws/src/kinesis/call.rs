//! One call, with what the caller wants to know of a failure.

use crate::client::{Answer, Aws, Class, class_of, code_of, retry};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_ports::PortError;
use std::error::Error;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// A call that failed for good.
#[derive(Debug)]
pub(super) struct Failure {
    /// The service's code of the last attempt, such as `ExpiredIteratorException`.
    pub(super) code: String,
    pub(super) error: PortError,
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What came of a call, and what was met on the way.
pub(super) struct Called<T> {
    pub(super) result: Result<T, Failure>,
    /// Attempts after which the service asked for fewer.
    pub(super) throttles: u32,
    /// Attempts of which nobody knows whether they had an effect.
    pub(super) unknown: u32,
}

#[derive(Default)]
struct Met {
    code: String,
    throttles: u32,
    unknown: u32,
}

/// Makes a call under the account's retry policy. `what` is what it is for, such as `` `arn:...` ``.
pub(super) async fn call<T, E, R, F>(aws: &Aws, operation: &str, what: &str, mut make: impl FnMut() -> F) -> Called<T>
where
    F: Future<Output = Result<T, SdkError<E, R>>>,
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Answer + Debug + Send + Sync + 'static,
{
    let met = Mutex::new(Met::default());
    let result = retry(aws.retry(), operation, what, || {
        let (made, met) = (make(), &met);
        async move { made.await.inspect_err(|error| note(met, error)) }
    })
    .await;
    let Met { code, throttles, unknown } = met.into_inner().unwrap_or_else(PoisonError::into_inner);
    Called { result: result.map_err(|error| Failure { code, error }), throttles, unknown }
}

fn note<E, R>(met: &Mutex<Met>, error: &SdkError<E, R>)
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Answer + Debug + 'static,
{
    let (mut met, class) = (met.lock().unwrap_or_else(PoisonError::into_inner), class_of(error));
    met.code = code_of(error).to_owned();
    met.throttles += u32::from(class == Class::Throttle);
    met.unknown += u32::from(class == Class::Transient);
}
