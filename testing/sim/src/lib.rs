//! Whole system in virtual time.
