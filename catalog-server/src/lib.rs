//! The server: HTTP in front, the ledger behind, and the wiring between.
//!
//! A request is parsed at the edge into types that prove validity, calls one thing and answers. The [`catalog`] is the
//! only writer; the [`projector`] follows the ledger and keeps the RDF store and the search index in step; the
//! [`launcher`] drives launches to what the ledger says; [`harvest`] brings records from elsewhere; [`sparql`] hands queries
//! to processes of their own. It holds no rule of validation, no SQL and no query of its own.

pub mod app;
pub mod catalog;
pub mod census;
pub mod command;
pub mod config;
pub mod dumps;
pub mod following;
pub mod foreign;
pub mod harvest;
pub mod homes;
pub mod http;
pub mod intake;
pub mod labels;
pub mod launcher;
pub mod oidc;
pub mod password;
pub mod pipeline;
pub mod policy;
pub mod projector;
pub mod public_package;
pub mod sample;
pub mod sparql;
pub mod staff;
pub mod throttle;
pub mod view;
pub mod workflow;
