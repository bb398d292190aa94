//! The journeys of Alidade's users on the real binary: publish, find, launch, read pages, ask SPARQL, follow identifiers.
//!
//! Each test has a server of its own, so that tests run in any order and side by side.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

mod clients;
mod counts;
mod delegate;
mod documents;
mod find;
mod launch;
mod portal;
mod protocols;
mod publish;
mod sparql;
