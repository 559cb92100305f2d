//! Forwarding policy: layers, allocation, rewriting, key frames, speakers, slots.
