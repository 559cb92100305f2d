//! The delivery service of a meeting's group: it orders what it cannot read.
