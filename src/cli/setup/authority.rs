//! Whoever may make tokens: a user who has logged in, or root on a node through `pveum`.
use super::account::{Act, Ask, Seen};
use crate::{
    model::{Answer, Class, Failure},
    providers::{
        host::{Host, Limits},
        proxmox::{Proxmox, Release},
    },
};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;

pub(super) enum Authority {
    Ticket(Proxmox),
    Node(Host),
}

impl Authority {
    /// What is there, as far as it is about this user.
    pub async fn look(&self, user: &str) -> Answer<Seen> {
        let mut seen = Seen::default();
        seen.set_roles(&self.ask(Ask::Roles).await?)?;
        seen.set_users(&self.ask(Ask::Users).await?)?;
        if seen.users.contains(user) {
            seen.set_tokens(&self.ask(Ask::Tokens(user)).await?)?;
        }
        seen.set_acl(&self.ask(Ask::Acl).await?)?;
        Ok(seen)
    }

    /// The release, which decides which privileges there are.
    pub async fn release(&self) -> Answer<Release> {
        let host = match self {
            Self::Ticket(pve) => return pve.version().await,
            Self::Node(host) => host,
        };
        let attempted = "ask the node for its release";
        let text = run(host, attempted, &["pveversion".to_owned()]).await?;
        // pve-manager/9.2.11/14a22df3 (running kernel: 6.17.2-1-pve)
        let text = String::from_utf8_lossy(&text);
        let release = text.split('/').nth(1).unwrap_or_default();
        release.parse().map_err(|why: String| Failure::new(Class::Invalid, attempted, why))
    }

    async fn ask(&self, ask: Ask<'_>) -> Answer<Value> {
        let attempted = "see which roles, users and tokens there are";
        match self {
            Self::Ticket(pve) => pve.access(attempted, &ask.path()).await,
            Self::Node(host) => {
                let text = run(host, attempted, &ask.pveum()).await?;
                serde_json::from_slice(&text)
                    .map_err(|e| Failure::new(Class::Transient, attempted, format!("pveum printed no JSON: {e}")))
            }
        }
    }

    /// Does it. The secret of a token that was made is the answer; it is shown this once, and to us alone.
    pub async fn act(&self, act: &Act) -> Answer<Option<SecretString>> {
        let attempted = act.to_string();
        let answer = match self {
            Self::Ticket(pve) => {
                let (method, path, pairs) = act.api();
                pve.change_access(&attempted, method, &path, &pairs).await?
            }
            Self::Node(host) => {
                let text = run(host, &attempted, &act.pveum()).await?;
                // What prints nothing has nothing to say.
                serde_json::from_slice(&text).unwrap_or(Value::Null)
            }
        };
        let secret = answer.get("value").and_then(Value::as_str).map(SecretString::from);
        match (act, &secret) {
            (Act::AddToken { user, token }, None) => {
                let why = "the answer holds no secret";
                let hint = format!("remove the token {user}!{token} and try again");
                Err(Failure::new(Class::Transient, attempted, why).hint(hint))
            }
            _ => Ok(secret),
        }
    }
}

/// What `pveum` says on standard output is never quoted: the secret of a token is in it.
async fn run(host: &Host, attempted: &str, argv: &[String]) -> Answer<Bytes> {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let output = host.run(&argv, Bytes::new(), Limits::default()).await?;
    if output.status == 0 {
        return Ok(output.stdout);
    }
    let why = format!("{} ended with {}: {}", argv[0], output.status, output.complaint());
    Err(Failure::new(Class::Invalid, attempted, why).hint("it needs root on a node of Proxmox VE"))
}
