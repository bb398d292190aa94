//! catalog-archive
