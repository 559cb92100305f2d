//! DTLS for sessions, set up once for all of them.
//!
//! str0m's own provider has dimpl examine the cryptographic library each time that a session begins:
//! it agrees on keys over three curves and verifies signatures, which takes about as long as all else
//! that a session begins with. The library does not change while the process runs; here it is examined once.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

/// str0m's cryptography, but for how DTLS is set up.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = || CryptoProvider { dtls_provider: &Examined, ..from_feature_flags() };
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(provider())))
}

/// Makes DTLS endpoints of one configuration.
#[derive(Debug)]
struct Examined;

/// The configuration, and the datagram size in bytes that it is for.
type Examination = (Option<usize>, Arc<dimpl::Config>);

impl DtlsProvider for Examined {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        static CONFIG: OnceLock<Examination> = OnceLock::new();
        let config = match CONFIG.get() {
            Some((known, config)) if *known == mtu => Arc::clone(config),
            Some(_) => examined(mtu)?,
            None => {
                let config = examined(mtu)?;
                // Another thread may have been first: its own serves as well.
                let _ = CONFIG.set((mtu, Arc::clone(&config)));
                config
            }
        };
        let cert = cert.clone();
        let dtls = match version {
            DtlsVersion::Dtls12 => dimpl::Dtls::new_12(config, cert, now),
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, cert, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, cert, now),
            other => return Err(CryptoError::Other(format!("DTLS {other} is not known here"))),
        };
        Ok(Box::new(Endpoint(dtls)))
    }
}

fn examined(mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
    // ICE has shown that the peer is where it says, so that no cookie need be asked back.
    let mut builder = dimpl::Config::builder().use_server_cookie(false);
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    let config = builder.build();
    config.map(Arc::new).map_err(|error| CryptoError::Other(format!("no DTLS: {error}")))
}

/// dimpl's endpoint, as str0m asks for it.
struct Endpoint(dimpl::Dtls);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl DtlsInstance for Endpoint {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
