//! catalog-launch
