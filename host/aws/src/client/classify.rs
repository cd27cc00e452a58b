//! What a failed call means.

use super::actions;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::event_stream::RawMessage;
use sluice_ports::{Kind, PortError};
use std::error::Error;
use std::fmt::Debug;

/// Longest text of a service that is passed on, in characters.
const LONGEST_TEXT: usize = 400;

/// What the retries make of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The service asks for fewer calls.
    Throttle,
    /// Nobody knows whether the call had an effect, or the service failed: it may do the next time.
    Transient,
    /// The credentials are no longer good: new ones may be.
    Expired,
    /// Not allowed.
    Denied,
    /// What was asked for is not there. An answer like another.
    Missing,
    /// The condition of a conditional write does not hold. An answer like another.
    Conflict,
    /// Anything else: the same call fails again.
    Permanent,
}

impl Class {
    /// As it stands in fault events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Transient => "transient",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Permanent => "permanent",
        }
    }

    /// Whether the call may be made again as it is.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Throttle | Self::Transient | Self::Expired)
    }

    /// Whether it is a fault, and no answer that the caller reckoned with.
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Missing | Self::Conflict)
    }

    fn kind(self) -> Kind {
        match self {
            Self::Throttle | Self::Transient => Kind::Retry,
            Self::Expired | Self::Denied => Kind::Denied,
            Self::Missing => Kind::NotFound,
            Self::Conflict => Kind::Fenced,
            Self::Permanent => Kind::Fatal,
        }
    }
}

/// What came back with a failure.
pub trait Answer {
    /// Status of HTTP, where it is known.
    fn status(&self) -> Option<u16>;
    /// What support asks for.
    fn request_id(&self) -> Option<&str>;
    /// The error's name, where only the envelope tells it.
    fn envelope_code(&self) -> Option<&str>;
}

impl Answer for HttpResponse {
    fn status(&self) -> Option<u16> {
        Some(self.status().as_u16())
    }

    fn request_id(&self) -> Option<&str> {
        self.headers().get("x-amzn-requestid").or_else(|| self.headers().get("x-amz-request-id"))
    }

    fn envelope_code(&self) -> Option<&str> {
        None
    }
}

impl Answer for RawMessage {
    fn status(&self) -> Option<u16> {
        None
    }

    fn request_id(&self) -> Option<&str> {
        None
    }

    fn envelope_code(&self) -> Option<&str> {
        let Self::Decoded(message) = self else { return None };
        let named = |name: &str| message.headers().iter().find(|header| header.name().as_str() == name);
        let header = named(":exception-type").or_else(|| named(":error-code"))?;
        header.value().as_string().ok().map(|value| value.as_str())
    }
}

/// What came back, if anything did.
fn raw<E, R>(error: &SdkError<E, R>) -> Option<&R> {
    match error {
        SdkError::ServiceError(error) => Some(error.raw()),
        SdkError::ResponseError(error) => Some(error.raw()),
        _ => None,
    }
}

/// The name of a failure: the service's code, else `timeout`, `dispatch`, `response`, `credentials` or `request`.
pub fn code_of<E, R>(error: &SdkError<E, R>) -> &str
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Answer + Debug + 'static,
{
    if credentials_failed(error) {
        return "credentials";
    }
    match error {
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout",
        SdkError::DispatchFailure(_) => "dispatch",
        SdkError::ResponseError(_) => "response",
        SdkError::ServiceError(failure) => {
            let named = failure.err().code().or_else(|| failure.raw().envelope_code());
            named.map_or("unknown", |code| code.rsplit('#').next().unwrap_or(code))
        }
        _ => "request",
    }
}

/// Whether the call was not sent because nobody gave credentials.
fn credentials_failed<E, R>(error: &SdkError<E, R>) -> bool
where
    E: Error + 'static,
    R: Debug + 'static,
{
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(source) = next {
        if source.is::<CredentialsError>() {
            return true;
        }
        next = source.source();
    }
    false
}

/// What the retries make of a failure.
pub fn class_of<E, R>(error: &SdkError<E, R>) -> Class
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Answer + Debug + 'static,
{
    match code_of(error) {
        "timeout" | "dispatch" | "response" => match raw(error).and_then(Answer::status) {
            // an answer without a body that names the error, as HeadObject's
            Some(status) => of_status(status).unwrap_or(Class::Transient),
            None => Class::Transient,
        },
        "credentials" => Class::Denied,
        "request" => Class::Permanent,
        // S3 answers a HEAD with an expired token so, and without a word
        "unknown" if raw(error).and_then(Answer::status) == Some(400) => Class::Expired,
        code => {
            let status = raw(error).and_then(Answer::status);
            of_code(code).or_else(|| status.and_then(of_status)).unwrap_or(Class::Permanent)
        }
    }
}

/// What the retries make of a code, where it is known: the codes of all services used, from their API references and the
/// SDKs' own lists of what is retried. Public for answers that failed in part, which give a code for each entry.
pub fn of_code(code: &str) -> Option<Class> {
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "SlowDown"
        | "KMSThrottlingException"
        | "ActiveStatementsExceededException"
        | "ActiveSessionsExceededException" => Class::Throttle,
        "InternalFailure"
        | "InternalFailureException"
        | "InternalServerException"
        | "InternalServerError"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "RequestTimeTooSkewed"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "TransactionInProgressException"
        | "TransactionConflictException"
        | "PriorRequestNotComplete"
        | "DatabaseConnectionException"
        | "BadDigest"
        | "IncompleteBody" => Class::Transient,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => Class::Expired,
        "AccessDenied"
        | "AccessDeniedException"
        | "KMSAccessDeniedException"
        | "UnauthorizedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "OptInRequired"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "Forbidden"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "NotSignedUp" => Class::Denied,
        "NoSuchKey"
        | "NotFound"
        | "NoSuchUpload"
        | "NoSuchVersion"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => Class::Missing,
        "PreconditionFailed" | "ConditionalCheckFailedException" => Class::Conflict,
        // not missing: a lake without its bucket is not an empty lake
        "NoSuchBucket" => Class::Permanent,
        _ => return None,
    })
}

fn of_status(status: u16) -> Option<Class> {
    Some(match status {
        429 => Class::Throttle,
        // an answer that says it went well and cannot be read
        200..=299 | 408 | 500..=599 => Class::Transient,
        401 | 403 => Class::Denied,
        404 => Class::Missing,
        412 => Class::Conflict,
        _ => return None,
    })
}

/// What a failure means to the caller. `what` is what the operation was for, such as `` `s3://lake/a` ``.
pub fn classify<E, R>(operation: &str, what: &str, error: SdkError<E, R>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Answer + Debug + Send + Sync + 'static,
{
    let (class, code) = (class_of(&error), code_of(&error).to_owned());
    let request = raw(&error).and_then(Answer::request_id).map(|id| format!(" (request `{id}`)"));
    let hint = way_out(class, &code, operation, what);
    let secret = is_of_signature(&code);
    let text = if secret { String::new() } else { format!(": {}", text_of(&error)) };
    let message = format!("{operation} of {what} failed: {code}{text}{}{hint}", request.unwrap_or_default());
    PortError { kind: class.kind(), message, cause: (!secret).then(|| Box::new(error) as _) }
}

/// Errors about signatures repeat the request, with the session's token in it.
fn is_of_signature(code: &str) -> bool {
    matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature")
}

fn way_out(class: Class, code: &str, operation: &str, what: &str) -> String {
    match (class, code) {
        (_, "credentials") => "; sign in, or name a profile that gives credentials".to_owned(),
        (_, "NoSuchBucket") => "; create the bucket, or name another".to_owned(),
        (_, "RequestTimeTooSkewed") => "; set this machine's clock".to_owned(),
        (Class::Expired, "unknown") => "; the credentials may have expired: sign in again".to_owned(),
        (Class::Expired, _) => "; the credentials expired and no new ones could be had; sign in again".to_owned(),
        (Class::Denied, "KMSAccessDeniedException") => {
            format!("; needs the KMS key's leave (`kms:Decrypt` or `kms:GenerateDataKey`) for {what}")
        }
        (Class::Denied, _) if !is_of_signature(code) => {
            let needed: Vec<String> = actions(operation).iter().map(|action| format!("`{action}`")).collect();
            if needed.is_empty() {
                return String::new();
            }
            format!("; needs the IAM action {} on {what}", needed.join(" and "))
        }
        (Class::Denied, _) => "; check the access key and its secret".to_owned(),
        _ => String::new(),
    }
}

/// The service's own words, or what the transport met, on one line.
fn text_of<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Debug + 'static,
{
    if let Some(text) = error.message() {
        return one_line(text);
    }
    let mut texts: Vec<String> = vec![];
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = source.source();
    }
    if texts.is_empty() { error.to_string() } else { one_line(&texts.join(": ")) }
}

fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST_TEXT) {
        line.truncate(end);
        line.push('…');
    }
    line
}
