//! Accounts, sessions, groups, devices and identity providers, against real servers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

mod device;
mod groups;
mod local;
mod oidc;
mod provider;
mod real;
