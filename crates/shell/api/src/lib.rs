//! HTTP API, WebSocket signalling and the web client's files.
