//! catalog-records
