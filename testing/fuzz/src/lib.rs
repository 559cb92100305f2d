//! One target per parser of foreign bytes.
