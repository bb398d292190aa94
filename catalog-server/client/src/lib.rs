//! catalog-client
