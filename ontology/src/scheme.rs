//! The SKOS schemes that facets are made of.
