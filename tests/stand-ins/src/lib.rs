//! Protocol servers that stand in for AWS, for the tests and for development.
//!
//! - [`kinesis`]: servers of other projects. [`s3`]: the protocol by another project, the objects kept here.
//! - [`firehose`], [`redshift`]: servers written here, since nothing public imitates buffering or the Data API.
//! - [`postgres`]: the database behind [`redshift`]. [`fetch`]: programs that the tests fetch for themselves.
//! - [`proxy`]: stands before any of them and makes calls fail. [`account`]: all of them together.
//!
//! What they do not imitate stands in `tests/stand-ins/README.md`.

pub mod account;
mod chance;
pub mod fetch;
pub mod firehose;
mod http;
pub mod kinesis;
pub mod postgres;
pub mod proxy;
pub mod redshift;
pub mod s3;
