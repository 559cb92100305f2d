//! Tokio driver of a native participant.
