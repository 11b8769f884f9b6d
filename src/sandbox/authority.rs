//! The sandbox's certificate authority, and what it and the guests show to the world.
use super::store::Store;
use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fs, net::IpAddr, path::PathBuf, sync::Arc};

/// Signs the certificates of the simulated APIs. It is made once per state directory and kept there, so that a client
/// that trusts `ca.pem` goes on trusting it after a restart.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

impl Authority {
    /// The one of this directory.
    ///
    /// # Errors
    /// When its files cannot be read or written.
    pub fn open(store: &Store) -> Result<Self> {
        let (file, key) = (store.path(CERTIFICATE), store.path(KEY));
        if !file.exists() || !key.exists() {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "trueup sandbox");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let pair = KeyPair::generate().context("make a key")?;
            let certificate = params.self_signed(&pair).context("make a certificate authority")?;
            store.put(KEY, pair.serialize_pem().as_bytes(), 0o600)?;
            store.put(CERTIFICATE, certificate.pem().as_bytes(), 0o644)?;
        }
        let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
        let pair = KeyPair::from_pem(&read(&key)?).with_context(|| format!("understand {}", key.display()))?;
        let issuer = Issuer::from_ca_cert_pem(&read(&file)?, pair);
        Ok(Self { issuer: issuer.with_context(|| format!("understand {}", file.display()))?, file })
    }

    /// Its certificate, for clients.
    pub fn file(&self) -> &PathBuf {
        &self.file
    }

    /// A server's TLS for loopback and `address`.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn server(&self, address: IpAddr) -> Result<Arc<ServerConfig>> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), address.to_string()];
        names.sort();
        names.dedup();
        let mut params = CertificateParams::new(names).context("name the server")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let pair = KeyPair::generate().context("make a key")?;
        let certificate = params.signed_by(&pair, &self.issuer).context("sign the server's certificate")?;
        tls(certificate.der().clone(), pair.serialize_der())
    }
}

/// A certificate that nobody signed, with the names that it is for; PEM with its key, to be kept.
///
/// # Errors
/// When a name is none.
pub fn self_signed(common_name: &str, names: &[String]) -> Result<String> {
    let mut params = CertificateParams::new(names.to_vec()).context("name the certificate")?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let pair = KeyPair::generate().context("make a key")?;
    let certificate = params.self_signed(&pair).context("make a certificate")?;
    Ok(format!("{}{}", pair.serialize_pem(), certificate.pem()))
}

/// A server's TLS from what [`self_signed`] made.
///
/// # Errors
/// When the PEM does not hold a key and a certificate.
pub fn server_of(pem: &str) -> Result<Arc<ServerConfig>> {
    use rustls::pki_types::pem::PemObject;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).context("read the certificate")?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).context("read the key")?;
    tls(certificate.into_owned(), key.secret_pkcs8_der().to_vec())
}

fn tls(certificate: CertificateDer<'static>, key: Vec<u8>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.into()))
        .context("use the certificate")?;
    Ok(Arc::new(config))
}
