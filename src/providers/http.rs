//! What every client over HTTPS shares: whom to trust, connection settings, and what a failed exchange means.
use crate::model::{Answer, Class, Failure};
use std::{
    error::Error as _,
    fmt::{self, Display},
    str::FromStr,
    sync::Once,
    time::Duration,
};

mod pin;
#[cfg(test)]
mod tests;

/// Which certificates a server may show. There is no variant that trusts anything: a certificate that nobody signed is
/// pinned by its fingerprint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// The certificate authorities of the operating system.
    #[default]
    SystemRoots,
    /// These authorities (PEM, one or several) and no others.
    Ca(String),
    /// The certificates with these SHA-256 fingerprints, whatever their names and dates: one for each server.
    Fingerprints(Vec<Fingerprint>),
    /// None at all: for plain HTTP. Reading the operating system's authorities takes longer than a whole exchange.
    Nobody,
}

/// SHA-256 over the DER form of a certificate, as `pvenode cert info` and browsers show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl FromStr for Fingerprint {
    type Err = String;
    /// 64 hexadecimal digits in any case; colons and spaces between them are left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let nibble = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok());
        let bytes: Option<Vec<u8>> =
            digits.chunks(2).map(|pair| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.get(1)?)?)).collect();
        bytes.and_then(|b| b.try_into().ok()).map(Self).ok_or_else(|| {
            format!("`{text}` is not a SHA-256 fingerprint: 32 bytes in hexadecimal, such as 3A:91:…, are expected")
        })
    }
}

impl Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Connection settings of one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long an unused connection is kept. Must be less than what the server keeps it, or a request is now and then
    /// sent into a connection that is just being closed (Proxmox VE closes after 5 s).
    pub idle: Duration,
    /// How long a connection may take, with TLS.
    pub connect: Duration,
    /// How long one exchange may take, from the first byte sent to the last received.
    pub timeout: Duration,
    /// Go through the proxy that `HTTPS_PROXY` and its kin name. Not for systems on the local network.
    pub proxies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            proxies: false,
        }
    }
}

/// Chooses the cryptography of this program (`ring`) once. Every TLS client and server of the crate calls it first.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that somebody has installed one before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A client with TLS 1.2 or newer that follows no redirect (an API that redirects would carry the token elsewhere).
///
/// # Errors
/// `Invalid` when the authorities in `trust` are not PEM.
pub fn client(trust: &Trust, options: &Options) -> Answer<reqwest::Client> {
    install_crypto();
    let wrong = |reason: String| Failure::new(Class::Invalid, "set up a TLS client", reason);
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(options.idle)
        .connect_timeout(options.connect)
        .timeout(options.timeout)
        .tcp_nodelay(true);
    if !options.proxies {
        builder = builder.no_proxy();
    }
    builder = match trust {
        Trust::SystemRoots => builder.tls_version_min(reqwest::tls::Version::TLS_1_2),
        Trust::Ca(pem) => {
            let roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|e| wrong(because(&e)))?;
            if roots.is_empty() {
                return Err(wrong("the file of certificate authorities holds no certificate".into())
                    .hint("it must contain at least one BEGIN CERTIFICATE block"));
            }
            builder.tls_version_min(reqwest::tls::Version::TLS_1_2).tls_certs_only(roots)
        }
        Trust::Nobody => builder.tls_certs_only([]),
        Trust::Fingerprints(pinned) => builder.tls_backend_preconfigured(pin::only(pinned).map_err(wrong)?),
    };
    builder.build().map_err(|e| wrong(because(&e)))
}

/// What an exchange that brought no complete answer means.
///
/// `repeatable`: sending the request twice does no harm. Only where it is not does it matter whether the lost one had
/// its effect, which nobody can know: `UnknownOutcome`. What failed while connecting had none.
pub fn failed(attempted: &str, repeatable: bool, error: &reqwest::Error) -> Failure {
    let reason = because(error);
    if error.is_builder() {
        return Failure::new(Class::Invalid, attempted, reason);
    }
    if error.is_connect() {
        let failure = Failure::new(Class::Unreachable, attempted, reason);
        return match failure.reason.contains("certificate") {
            true => failure.hint("the server's certificate is not trusted: check `ca` or `fingerprint`"),
            false => failure,
        };
    }
    if repeatable {
        let class = if error.is_timeout() { Class::Unreachable } else { Class::Transient };
        Failure::new(class, attempted, reason)
    } else {
        Failure::new(Class::UnknownOutcome, attempted, format!("the reply was lost ({reason})"))
            .hint("it may have been done; the next look shows")
    }
}

/// An error with all its causes in one line; `reqwest` alone says only "error sending request". Without the address,
/// which the caller names.
fn because(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = vec![];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    match parts.is_empty() {
        true if error.is_timeout() => "it took too long".into(),
        true => "the request failed".into(),
        false => parts.join(": "),
    }
}
