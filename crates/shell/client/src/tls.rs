use std::sync::Arc;

use conclave_link::Origin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Whose word is taken for a server's identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// The certificates in this PEM text, and no others.
    Certificates(Vec<u8>),
    /// Any certificate, but only of this machine itself: nobody else can answer there.
    Loopback,
    /// The operating system's certificate authorities.
    System,
}

impl Trust {
    /// What is right for a server unless told otherwise: a development server on this machine
    /// shows a self-signed certificate, all others one that the system trusts.
    pub fn of(origin: &Origin) -> Self {
        if origin.is_loopback() { Self::Loopback } else { Self::System }
    }

    /// Makes the TLS configuration for connections to `origin`.
    ///
    /// # Errors
    ///
    /// [`TrustError`] names what cannot be trusted.
    pub(crate) fn config(&self, origin: &Origin) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Tls)?;
        let roots = match self {
            Self::Certificates(pem) => given_roots(pem)?,
            Self::Loopback if origin.is_loopback() => {
                let verifier = Arc::new(AnyCertificate { provider });
                let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
                return Ok(builder.with_no_client_auth());
            }
            Self::Loopback => return Err(TrustError::NotLoopback),
            Self::System => system_roots()?,
        };
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| TrustError::BadCertificate)?;
        roots.add(certificate).map_err(|_| TrustError::BadCertificate)?;
    }
    if roots.is_empty() { Err(TrustError::BadCertificate) } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    // One unreadable certificate among the system's does not make the others worthless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TrustError::NoSystemCertificates) } else { Ok(roots) }
}

/// Takes any certificate, but checks that the server holds its key.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why nobody's word can be taken.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The text holds no certificate, or one that cannot be read.
    #[error("the file holds no certificate in PEM form that can be read")]
    BadCertificate,
    /// The operating system has no certificate authorities.
    #[error("this system has no certificate authorities; name one")]
    NoSystemCertificates,
    /// Any certificate would do, but the server is not on this machine.
    #[error("a certificate may go unchecked only on this machine itself (localhost)")]
    NotLoopback,
    /// TLS itself cannot be set up.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_certificate_goes_unchecked_but_on_this_machine() {
        let remote: Origin = "https://meet.example.org".parse().unwrap();
        assert!(matches!(Trust::Loopback.config(&remote), Err(TrustError::NotLoopback)));
        assert_eq!(Trust::of(&remote), Trust::System);

        let local: Origin = "https://localhost:8443".parse().unwrap();
        assert_eq!(Trust::of(&local), Trust::Loopback);
        assert!(Trust::Loopback.config(&local).is_ok());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let local: Origin = "https://localhost:8443".parse().unwrap();
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let trust = Trust::Certificates(text.as_bytes().to_vec());
            assert!(matches!(trust.config(&local), Err(TrustError::BadCertificate)), "{text}");
        }
    }
}
