//! The pages, each a pure function from what the API answered to a document.

pub mod account;
pub mod accounts;
pub mod audit;
pub mod datazones;
pub mod device;
pub mod groups;
pub mod home;
pub mod launch;
pub mod launches;
pub mod problem;
pub mod publish;
pub mod record;
pub mod running;
pub mod search;
pub mod signin;
pub mod sources;
pub mod sparql;
pub mod volumes;
