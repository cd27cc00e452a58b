//! All AWS code, behind the ports.
//!
//! - [`client`]: connections, one classifier of failures, one retry policy, fault events.
//! - [`kinesis`]: a stream as a source; putting files into one.
//! - [`firehose`]: delivery of rows through Firehose, and what of it arrived.
//! - [`s3`]: the lake as a bucket, the commit log and its lease, files under a prefix as a source.
//! - [`redshift`]: tables and loads through the Data API.
//! - [`plan`], [`doctor`]: what a pipeline needs of an account, and whether it is there.
//!
//! Nothing outside this crate knows an AWS SDK. Limits of the services are named constants with the page that they come
//! from.

pub mod client;
pub mod doctor;
pub mod firehose;
pub mod kinesis;
pub mod plan;
pub mod redshift;
pub mod s3;
