//! The manifest of a package: read it, and find every fault in it.
