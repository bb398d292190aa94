//! What is generated from the term table and the schemes.
