//! Control plane of one call, and the requests and events of the media plane.
//!
//! [`media`] is the boundary between signalling (`api`) and the media node (`sfu`): neither
//! imports the other, the application connects their queues.

pub mod media;
