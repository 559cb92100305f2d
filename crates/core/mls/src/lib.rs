//! The member's side of a meeting's group: MLS (RFC 9420) over OpenMLS.
