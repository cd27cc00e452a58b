//! The same program on AWS, against protocol servers that stand in for it.
//!
//! `world` starts the servers, fills a stream, and works out from what the stream itself holds which rows the warehouse
//! must hold, by `_sluice_id`.

mod crash;
mod faults;
mod hosts;
mod printed;
mod retail;
mod sources;
mod world;
