//! The Kinesis source and `put` against servers that stand in for AWS.

mod contract;
mod faults;
mod put;
mod reshard;
mod start;
mod support;
mod vectors;
