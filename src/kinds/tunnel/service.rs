//! What a tunnel's rule leads to.
use crate::model::spelled;
use std::{fmt, str::FromStr};

const SCHEMES: [&str; 7] = ["http", "https", "tcp", "ssh", "rdp", "smb", "unix"];

/// What a tunnel's rule leads to, as cloudflared writes it: `http://192.168.61.226:8080`, `tcp://…`, `ssh://…`,
/// `unix:/run/app.sock`, or `http_status:404`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TunnelService(String);

impl TunnelService {
    /// What answers where nothing else does.
    pub fn not_found() -> Self {
        Self("http_status:404".into())
    }
    /// The service as cloudflared writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TunnelService {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(status) = text.strip_prefix("http_status:") {
            return match status.parse::<u16>() {
                Ok(100..=599) => Ok(Self(text.into())),
                _ => Err(format!("`{status}` is not an HTTP status")),
            };
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self(text.into())),
                false => Err(format!(
                    "the socket of the service `{text}` is not a path from the root, as in unix:/run/app.sock"
                )),
            };
        }
        let hint = "write it as http://10.0.1.5:8080 or http_status:404";
        let url = url::Url::parse(text).map_err(|e| format!("`{text}` is not a service ({e}); {hint}"))?;
        if !SCHEMES.contains(&url.scheme()) {
            let schemes = SCHEMES.join(", ");
            return Err(format!(
                "the service `{text}` begins with `{}`, which is none of {schemes}; {hint}",
                url.scheme()
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("the service `{text}` names no host; {hint}"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(format!(
                "the service `{text}` has a path, which tunnels do not support; the rule's `path` chooses requests"
            ));
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

impl fmt::Display for TunnelService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(TunnelService, "a service such as http://10.0.1.5:8080", {
    "type": "string", "examples": ["http://10.0.1.5:8080", "http_status:404"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cloudflared_understands() {
        for good in
            ["http://192.168.61.226:8080", "https://a.test", "ssh://10.0.1.5:22", "unix:/run/a.sock", "http_status:404"]
        {
            assert_eq!(good.parse::<TunnelService>().map(|s| s.to_string()), Ok(good.into()));
        }
        for (wrong, words) in [
            ("192.168.61.226:8080", "not a service"),
            ("localhost:8080", "none of http"),
            ("http_status:999", "not an HTTP status"),
            ("http://a.test/path", "`path` chooses"),
            ("unix:run/a.sock", "path from the root"),
        ] {
            let error = wrong.parse::<TunnelService>().expect_err(wrong);
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
