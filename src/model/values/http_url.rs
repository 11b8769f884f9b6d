//! Addresses of HTTP services.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

/// Where an HTTP or HTTPS service answers: `https://10.0.1.1:8006`. Without user, password or fragment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HttpUrl(url::Url);

impl HttpUrl {
    /// What is said of a URL that must not be shown.
    pub const CREDENTIALS: &'static str = "the URL has a user or a password in it, which must not stand in a manifest";

    /// The address as the library type.
    pub fn url(&self) -> &url::Url {
        &self.0
    }
    /// Whether the service is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for HttpUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|e| format!("`{text}` is not a URL: {e}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Self::CREDENTIALS.into());
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the URL `{text}` begins neither with http:// nor with https://"));
        }
        if url.fragment().is_some() {
            return Err(format!("the URL `{text}` has a fragment, which no server sees"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for HttpUrl {
    /// Without the `/` that stands for an empty path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.path(), self.0.query()) {
            ("/", None) => f.write_str(self.0.as_str().trim_end_matches('/')),
            _ => f.write_str(self.0.as_str()),
        }
    }
}

spelled!(HttpUrl, "a URL such as https://10.0.1.1:8006", { "type": "string", "format": "uri", "pattern": "^https?://" });
