//! The servers beside Firehose and Redshift, spoken to with the AWS SDKs.

mod command;
mod fetched;
mod kinesis;
mod proxy;
mod s3;
