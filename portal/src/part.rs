//! The parts of the design system: small functions from data to markup, each used by several pages.

pub mod chips;
pub mod facets;
pub mod findings;
pub mod hit;
pub mod live;
pub mod notice;
pub mod pager;
pub mod plan;
pub(crate) mod provenance;
pub mod shell;
pub mod steps;
pub mod terms;
pub mod workflow;
