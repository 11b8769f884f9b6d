//! Connections as somebody on the internet makes them: from the client namespace, with what came back.
use super::Room;
use anyhow::{Context, Result, anyhow};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use tokio_rustls::TlsConnector;

/// How long a connection may take; a packet that is dropped shows as no answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// One question to the site from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Probe {
    /// Connects and reads what the other side says first.
    Tcp { to: SocketAddr },
    /// Sends a datagram and reads the answer.
    Udp { to: SocketAddr },
    /// Shakes hands for a name and tells whose certificate was shown.
    Tls { to: SocketAddr, name: String },
    /// Asks for `/` in plain HTTP and tells status line and `Location`.
    Http { to: SocketAddr, host: String },
}

/// Makes the connection from `room` and tells in one line what came back.
///
/// # Errors
/// Refused, no answer in three seconds, no TLS.
pub async fn ask(room: &Room, probe: Probe) -> Result<String> {
    let shown = format!("{probe:?}");
    let asked = room.run(async move { tokio::time::timeout(PATIENCE, once(probe)).await }).await?;
    asked.map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs())).and_then(|r| r).context(shown)
}

async fn once(probe: Probe) -> Result<String> {
    let mut buffer = vec![0; 4096];
    match probe {
        Probe::Tcp { to } => {
            let mut stream = TcpStream::connect(to).await?;
            let n = stream.read(&mut buffer).await?;
            Ok(String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned())
        }
        Probe::Udp { to } => {
            let own = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(own).await?;
            socket.connect(to).await?;
            socket.send(b"who is there").await?;
            let n = socket.recv(&mut buffer).await?;
            Ok(String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned())
        }
        Probe::Tls { to, name } => certificate(to, name).await,
        Probe::Http { to, host } => {
            let mut stream = TcpStream::connect(to).await?;
            stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            let status = text.lines().next().unwrap_or_default().trim_end();
            let location = text.lines().find(|line| line.to_ascii_lowercase().starts_with("location:"));
            Ok([status, location.unwrap_or_default().trim_end()].join(" ").trim_end().to_owned())
        }
    }
}

async fn certificate(to: SocketAddr, name: String) -> Result<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious(provider)))
        .with_no_client_auth();
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from(name)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).context("no certificate was shown")?;
    Ok(names_in(shown))
}

/// The printable names inside a certificate. It is only told to people, so the DER is searched, not understood: the
/// subject's common name is the last one in our own certificates.
fn names_in(der: &CertificateDer<'_>) -> String {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    let mut found = String::new();
    for at in 0..der.len() {
        if der[at..].starts_with(&COMMON_NAME)
            && let Some((&length, rest)) = der.get(at + 6..).and_then(|d| d.split_first())
            && let Some(text) = rest.get(..usize::from(length)).and_then(|t| std::str::from_utf8(t).ok())
        {
            text.clone_into(&mut found);
        }
    }
    format!("certificate of {found}")
}

/// Looks at whatever certificate is shown: this client trusts nobody and sends nothing, it only tells who answered.
#[derive(Debug)]
struct Curious(Arc<CryptoProvider>);

impl ServerCertVerifier for Curious {
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
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
