//! The server's TLS identity: files of the administrator, or a certificate made here and kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::door::TURN;

/// Reads a certificate chain and its key from PEM files.
pub(crate) fn from_files(
    certificate: &Path,
    key: &Path,
    provider: Arc<CryptoProvider>,
) -> anyhow::Result<ServerConfig> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the key {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .context("certificate and key do not fit together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), TURN.to_vec()];
    Ok(config)
}

/// Reads the certificate that the server made for itself; makes it if there is none. It stays
/// the same over restarts, so that a browser asks its person once.
pub(crate) fn self_signed(
    folder: &Path,
    addresses: &[IpAddr],
    provider: Arc<CryptoProvider>,
) -> anyhow::Result<ServerConfig> {
    let (certificate, key) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    if !certificate.exists() || !key.exists() {
        make(&certificate, &key, addresses)?;
    }
    from_files(&certificate, &key, provider)
}

fn make(certificate: &Path, key: &Path, addresses: &[IpAddr]) -> anyhow::Result<()> {
    let names: Vec<_> = std::iter::once("localhost".to_owned())
        .chain(addresses.iter().map(IpAddr::to_string))
        .collect();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).context("cannot make a certificate")?;
    // A key of before that lost its certificate may be there, with any mode.
    if key.exists() {
        fs::remove_file(key).context("cannot replace the certificate's key")?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(key)
        .with_context(|| format!("cannot write {}", key.display()))?;
    write(&mut file, &signing_key.serialize_pem())?;
    let mut file = File::create(certificate)
        .with_context(|| format!("cannot write {}", certificate.display()))?;
    write(&mut file, &cert.pem())
}

fn write(file: &mut File, text: &str) -> anyhow::Result<()> {
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context("cannot write a file")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    #[test]
    fn the_own_certificate_stays_the_same_and_its_key_private() {
        let folder = tempfile::tempdir().unwrap();
        let read = || fs::read(folder.path().join("self-signed.pem")).unwrap();

        self_signed(folder.path(), &[IpAddr::from([192, 0, 2, 1])], provider()).unwrap();
        let first = read();
        self_signed(folder.path(), &[], provider()).unwrap();

        assert_eq!(read(), first);
        let mode = fs::metadata(folder.path().join("self-signed.key")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_that_is_none_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.pem");
        fs::write(&path, "not PEM").unwrap();

        let error = from_files(&path, &path, provider()).unwrap_err();

        assert!(!format!("{error:#}").is_empty());
    }
}
