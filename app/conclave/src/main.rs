//! Sovereign video conferencing: server, native participant and tools in one binary.

fn main() {}
