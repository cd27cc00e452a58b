//! What the flow promises, tried in memory: the same content whatever batches, threads, crashes and restarts.

mod behaviour;
mod crash;
mod health;
mod rollouts;
mod rules;
mod streams;
mod windows;
mod world;
