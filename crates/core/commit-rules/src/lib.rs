//! The acceptance rules of a commit, and the policy that they read.
