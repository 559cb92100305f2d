//! The media node as a state machine: datagrams in, datagrams out.
