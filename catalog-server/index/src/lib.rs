//! catalog-index
