//! Answering strangers' SPARQL queries in processes of their own (THREATS T21).
//!
//! A [`Pool`] keeps a few workers, asks one of them for each query, and ends it when its time is over or its client has
//! left. [`Budgets`] says who may ask how much. Nothing here parses or evaluates a query.

mod budget;
mod pool;
mod relay;
mod worker;

pub use budget::{Budgets, Client};
pub use pool::{NotNow, Pool};
pub use relay::{Answer, Body, Pieces};
pub(crate) use worker::COMMAND;
