//! Loads into Redshift, against a server that speaks the Data API over a real PostgreSQL.

mod calls;
mod ddl;
mod deaths;
mod faults;
mod loads;
mod tables;
mod world;
