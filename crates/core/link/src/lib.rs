//! The meeting link and what is derived from its secret.
