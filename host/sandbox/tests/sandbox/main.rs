//! The sandbox against rules that mean harm: each attack ends in an error that names rule and limit, and the process
//! lives on.

mod answers;
mod compiling;
mod crashes;
mod files;
mod folds;
mod guests;
mod loading;
mod logs;
mod lookups;
mod openings;
mod released;
mod round_trip;
mod table;
mod tokens;
mod wat;
