//! The member's session for a browser's worker.

use wasm_bindgen::prelude::wasm_bindgen;

/// Probe.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MemberSession {
    session: Option<conclave_e2ee::Session>,
}

#[wasm_bindgen]
impl MemberSession {
    /// Probe.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self { session: None }
    }
    /// Probe.
    pub fn poll(&mut self) -> String {
        self.session.as_mut().map(|s| format!("{:?}", s.poll_output())).unwrap_or_default()
    }
}
