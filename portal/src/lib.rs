//! catalog-portal
