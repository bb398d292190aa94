//! A record that was found valid.
