//! The program as its users see it: the `sluice` binary is started, killed, and asked, and its lake is read back.
//!
//! `support` starts the program and reads what it leaves; every other module is one part of the acceptance list.
//! `tests/README.md` says what is tested where, and how the long versions are run.

mod support;

mod appends;
mod aws;
mod cli;
mod corpus;
mod crash;
mod damage;
mod egress;
mod formats;
mod hostile;
mod interrupted;
mod lookup;
mod naughty;
mod orders;
mod plugins;
mod registry;
mod retail;
mod samples;
mod versions;
mod windows;
