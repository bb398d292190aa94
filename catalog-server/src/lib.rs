//! catalog-server
