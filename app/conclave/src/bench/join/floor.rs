//! The least that a join can cost: a bare media session and a bare TLS handshake.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use serde::Serialize;

use super::dtls;
use crate::bench::clock::cpu;
use crate::bench::cores::Cores;
use crate::certificate;

/// Processor time of the answering side alone, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Floor {
    /// An offer taken, ICE and DTLS.
    pub(super) media_ms: f64,
    /// TLS, with the settings of `conclave serve`.
    pub(super) tls_ms: f64,
}

/// Handshakes that are not counted: they warm the caches.
const WARM_UP: u32 = 5;

impl Floor {
    /// Makes so many handshakes of each kind, on the server's processor core.
    pub(super) fn measure(handshakes: u32) -> anyhow::Result<Self> {
        let thread = thread::spawn(move || {
            Cores::choose().take_measured();
            let certificate = dtls::certificate()?;
            let tls = Tls::new()?;
            Ok(Self {
                media_ms: mean_ms(handshakes, || dtls::handshake(&certificate))?,
                tls_ms: mean_ms(handshakes, || tls.handshake())?,
            })
        });
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement panicked"))?
    }

    pub(super) fn all_ms(self) -> f64 {
        self.media_ms + self.tls_ms
    }
}

fn mean_ms(
    handshakes: u32,
    handshake: impl Fn() -> anyhow::Result<Duration>,
) -> anyhow::Result<f64> {
    for _ in 0..WARM_UP {
        handshake()?;
    }
    let mut all = Duration::ZERO;
    for _ in 0..handshakes {
        all += handshake()?;
    }
    Ok(all.as_secs_f64() * 1000.0 / f64::from(handshakes.max(1)))
}

/// Both ends of TLS.
struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    fn new() -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let folder = tempfile::tempdir().context("no folder for a certificate")?;
        let server = certificate::self_signed(folder.path(), &[], Arc::clone(&provider))?;
        let mut roots = RootCertStore::empty();
        for own in CertificateDer::pem_file_iter(folder.path().join("self-signed.pem"))? {
            roots.add(own?)?;
        }
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Each handshake is somebody else's.
        client.resumption = rustls::client::Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }

    /// Lets a client connect. Gives the accepting side's processor time.
    fn handshake(&self) -> anyhow::Result<Duration> {
        let name = ServerName::try_from("localhost")?;
        let mut client = ClientConnection::new(Arc::clone(&self.client), name)?;
        let began = cpu();
        let mut server = ServerConnection::new(Arc::clone(&self.server))?;
        let mut used = cpu().saturating_sub(began);
        while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
            let mut asked = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut asked)?;
            }
            let began = cpu();
            let mut answer = Vec::new();
            let mut heard = asked.as_slice();
            while !heard.is_empty() {
                server.read_tls(&mut heard)?;
                server.process_new_packets()?;
            }
            while server.wants_write() {
                server.write_tls(&mut answer)?;
            }
            used += cpu().saturating_sub(began);

            let mut heard = answer.as_slice();
            while !heard.is_empty() {
                client.read_tls(&mut heard)?;
                client.process_new_packets()?;
            }
        }
        Ok(used)
    }
}
