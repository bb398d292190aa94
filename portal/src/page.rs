//! The pages, each a pure function from what the API answered to a document.

pub mod account;
pub mod accounts;
pub mod audit;
pub mod datazones;
pub mod device;
pub mod edit;
pub mod groups;
pub mod home;
pub mod keys;
pub mod launch;
pub mod launches;
pub mod notifications;
pub mod problem;
pub mod publish;
pub mod queue;
pub mod record;
pub mod review;
pub mod running;
pub mod search;
pub mod signin;
pub mod sources;
pub mod sparql;
pub mod volumes;
