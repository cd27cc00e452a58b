//! The sandbox against rules that mean harm: each attack ends in an error that names rule and limit, and the process
//! lives on.

mod answers;
mod crashes;
mod folds;
mod guests;
mod loading;
mod logs;
mod lookups;
mod openings;
mod released;
mod round_trip;
mod tokens;
mod wat;
