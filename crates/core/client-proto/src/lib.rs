//! A native participant as a state machine.
