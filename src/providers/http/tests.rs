use super::*;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Server {
    url: String,
    pem: String,
    fingerprint: Fingerprint,
}

/// A server with a certificate of its own that answers every connection once, in these bytes.
async fn server(answer: &'static [u8]) -> Server {
    install_crypto();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let der = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![der.clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4096];
                let _ = tls.read(&mut request).await;
                let _ = tls.write_all(answer).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    Server {
        url: format!("https://localhost:{port}/"),
        pem: made.cert.pem(),
        fingerprint: Fingerprint(Sha256::digest(&der).into()),
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn get(trust: &Trust, url: &str) -> Result<u16, Failure> {
    let sent = client(trust, &Options::default())?.get(url).send().await;
    sent.map(|r| r.status().as_u16()).map_err(|e| failed("ask", true, &e))
}

#[tokio::test]
async fn a_pinned_certificate_is_accepted_and_any_other_is_not() {
    let server = server(OK).await;
    assert_eq!(get(&Trust::Fingerprints(vec![server.fingerprint]), &server.url).await, Ok(200));
    let mut other = server.fingerprint;
    other.0[31] ^= 1;
    let refused = get(&Trust::Fingerprints(vec![other]), &server.url).await.unwrap_err();
    assert_eq!(refused.class, Class::Unreachable);
    assert!(refused.reason.contains(&server.fingerprint.to_string()), "{refused}");
    assert!(refused.hint.as_deref().is_some_and(|h| h.contains("fingerprint")), "{refused}");
}

#[tokio::test]
async fn only_the_named_authority_is_trusted() {
    let (one, two) = (server(OK).await, server(OK).await);
    assert_eq!(get(&Trust::Ca(one.pem.clone()), &one.url).await, Ok(200));
    for trust in [Trust::Ca(two.pem), Trust::SystemRoots] {
        assert_eq!(get(&trust, &one.url).await.unwrap_err().class, Class::Unreachable);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = server(b"HTTP/1.1 302 Found\r\nlocation: https://localhost:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(get(&Trust::Ca(server.pem), &server.url).await, Ok(302));
}

#[tokio::test]
async fn a_lost_reply_is_an_unknown_outcome_only_where_repeating_could_hurt() {
    let server = server(b"").await;
    let client = client(&Trust::Ca(server.pem), &Options::default()).unwrap();
    let error = client.post(&server.url).send().await.unwrap_err();
    assert_eq!(failed("create", false, &error).class, Class::UnknownOutcome);
    assert_eq!(failed("read", true, &error).class, Class::Transient);
}

#[tokio::test]
async fn a_refused_connection_had_no_effect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&Trust::SystemRoots, &Options::default()).unwrap().post(url).send().await.unwrap_err();
    assert_eq!(failed("create", false, &error).class, Class::Unreachable);
}

#[test]
fn fingerprints_are_read_as_people_copy_them() {
    let text = "3A:91:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD";
    let read: Fingerprint = text.parse().unwrap();
    assert_eq!(read.to_string(), text);
    assert_eq!(text.replace(':', "").to_lowercase().parse(), Ok(read));
    for bad in ["", "3A:91", &text[..text.len() - 1], &format!("{text}:00"), &text.replace('A', "G")] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    for pem in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = client(&Trust::Ca(pem.into()), &Options::default());
        assert_eq!(refused.map(|_| ()).unwrap_err().class, Class::Invalid, "{pem:?}");
    }
}
