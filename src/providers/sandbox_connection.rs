//! Where a running sandbox can be reached, as it writes it to `DIR/sandbox.json`.
//!
//! It stands here, not in `sandbox`, because the product reads it (`--sandbox DIR`) and imports nothing of the simulator.
use crate::model::{Answer, Class, Failure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that `--sandbox DIR` puts in place of endpoints, secrets and the host transport.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Connection {
    pub proxmox: Https,
    /// File with the password of `root@pam`, for what a token may not.
    pub proxmox_password_file: PathBuf,
    pub cloudflare: Https,
    pub traefik: Http,
    /// The Unix socket of [`crate::providers::host::Host::sandbox`].
    pub host_socket: PathBuf,
    /// The Unix socket through which `sandbox drift|fault|show` talk to it.
    pub control_socket: PathBuf,
    /// `None` where the kernel's namespaces are not used: nft is simulated and there are no packets.
    pub namespaces: Option<Namespaces>,
    /// The sandbox's own process.
    pub pid: u32,
}

/// An API over HTTPS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Https {
    /// Without a path: `https://127.0.0.1:8006`.
    pub url: String,
    /// PEM file of the certificate authority that signed the server's certificate.
    pub ca: PathBuf,
    /// File with the token as the product would be given it.
    pub token_file: PathBuf,
}

/// An API over plain HTTP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Http {
    pub url: String,
}

/// The network namespaces, each a path that `nsenter --net=PATH` takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Namespaces {
    /// Somebody on the internet.
    pub client: PathBuf,
    /// The node: public addresses, nft, Traefik.
    pub edge: PathBuf,
    /// The guests.
    pub guests: PathBuf,
    /// The process whose user namespace must be entered first (`nsenter --user --target PID`), where we are not root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_of: Option<u32>,
}

impl Connection {
    /// The name of the file in the sandbox's directory.
    pub const FILE: &'static str = "sandbox.json";

    /// Reads it from a sandbox's directory.
    ///
    /// # Errors
    /// `Unreachable` when none stands there or it is of a sandbox that no longer runs, `Invalid` when it cannot be read.
    pub fn read(directory: &Path) -> Answer<Self> {
        let path = directory.join(Self::FILE);
        let failure = |class, reason: String| {
            let hint = format!("start one with `trueup sandbox serve --state {}`", directory.display());
            Failure::new(class, format!("find a sandbox in {}", directory.display()), reason).hint(hint)
        };
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => failure(Class::Unreachable, "none was started there".to_owned()),
            _ => failure(Class::Unreachable, format!("{}: {e}", path.display())),
        })?;
        let connection: Self =
            serde_json::from_str(&text).map_err(|e| failure(Class::Invalid, format!("{}: {e}", path.display())))?;
        // Its host socket is bound as long as it lives; a file that a killed sandbox left behind refuses us.
        std::os::unix::net::UnixStream::connect(&connection.host_socket).map_err(|e| {
            failure(Class::Unreachable, format!("the one that was started there does not answer ({e})"))
        })?;
        Ok(connection)
    }
}
