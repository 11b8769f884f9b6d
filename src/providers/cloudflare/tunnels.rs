//! Tunnels of an account, their configuration and their connections.
use super::{Cloudflare, page::Count, strange};
use crate::model::{Answer, Class, Failure};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

/// The most that the API gives in one page.
const PER_PAGE: usize = 1_000;

/// A tunnel that is not deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// UUID; `ID.cfargotunnel.com` is where its names point.
    pub id: String,
    pub name: String,
    /// `inactive`, `healthy`, `degraded`, `down`.
    pub status: String,
    /// Whether its configuration is kept at Cloudflare; a tunnel with a local one ignores it.
    pub remote: bool,
}

impl Tunnel {
    fn read(value: &Value) -> Option<Self> {
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        Some(Self {
            id: text("id")?,
            name: text("name")?,
            status: text("status").unwrap_or_default(),
            remote: value["config_src"]
                .as_str()
                .map_or(value["remote_config"] == true, |source| source == "cloudflare"),
        })
    }
}

/// The ingress document of a tunnel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    /// Counts the changes; 0 before the first.
    pub version: u64,
    /// With all fields, known or not; `Null` before the first.
    pub config: Value,
}

/// A running `cloudflared`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connector {
    pub id: String,
    /// Connections that are up; those of one that has gone stay listed for minutes and do not count.
    pub connections: usize,
}

impl Cloudflare {
    /// All tunnels that are not deleted.
    ///
    /// # Errors
    /// `Transient` when the list is cut short, and all that any read may bring.
    pub async fn tunnels(&self, account: &str) -> Answer<Vec<Tunnel>> {
        let attempted = format!("list the tunnels of account {account}");
        // Deleted ones are listed without the filter.
        let query = [("is_deleted", "false".to_owned())];
        let all = self.list(&attempted, &tunnels(account), &query, PER_PAGE, Count::MayBeMissing).await?;
        let live = all.iter().filter(|tunnel| !tunnel["deleted_at"].is_string());
        let unreadable = || strange(&attempted, "a tunnel in the list has no id or name");
        live.map(|tunnel| Tunnel::read(tunnel).ok_or_else(unreadable)).collect()
    }

    /// Makes a tunnel whose configuration is kept at Cloudflare.
    ///
    /// # Errors
    /// `Conflict` when a tunnel has the name; `UnknownOutcome` when the reply was lost.
    pub async fn create_tunnel(&self, account: &str, name: &str) -> Answer<Tunnel> {
        let attempted = format!("create the tunnel {name}");
        let body = json!({"name": name, "config_src": "cloudflare"});
        // The reply holds the secret; it is dropped here.
        let made = self.wire.once(&attempted, Method::POST, &tunnels(account), &body).await?.result;
        Tunnel::read(&made)
            .ok_or_else(|| Failure::new(Class::UnknownOutcome, attempted, "the reply does not show what was made"))
    }

    /// Gives a tunnel another name.
    ///
    /// # Errors
    /// `Conflict` when a tunnel has the name.
    pub async fn rename_tunnel(&self, account: &str, id: &str, name: &str) -> Answer<()> {
        let attempted = format!("rename the tunnel {id} to {name}");
        let path = format!("{}/{id}", tunnels(account));
        self.wire.repeatable(&attempted, Method::PATCH, &path, Some(&json!({"name": name}))).await.map(|_| ())
    }

    /// Deletes a tunnel; one that is gone already is no error. DNS records that point at it stay.
    ///
    /// # Errors
    /// `Busy` while connectors are connected: see [`Cloudflare::end_connections`].
    pub async fn delete_tunnel(&self, account: &str, id: &str) -> Answer<()> {
        let attempted = format!("delete the tunnel {id}");
        let path = format!("{}/{id}", tunnels(account));
        gone(self.wire.repeatable(&attempted, Method::DELETE, &path, None).await.map(|_| ()))
    }

    /// What a connector needs to serve the tunnel. Reading it needs the permission to write.
    ///
    /// # Errors
    /// `NotFound` when there is no such tunnel.
    pub async fn tunnel_token(&self, account: &str, id: &str) -> Answer<SecretString> {
        let attempted = format!("read the token of the tunnel {id}");
        let result = self.wire.get(&attempted, &format!("{}/{id}/token", tunnels(account)), &[]).await?.result;
        match result {
            Value::String(token) if !token.is_empty() => Ok(token.into()),
            _ => Err(strange(&attempted, "the reply holds no token")),
        }
    }

    /// The configuration of a tunnel, with its version.
    ///
    /// # Errors
    /// `NotFound` when there is no such tunnel.
    pub async fn configuration(&self, account: &str, id: &str) -> Answer<Configuration> {
        let attempted = format!("read the configuration of the tunnel {id}");
        let result = self.wire.get(&attempted, &configurations(account, id), &[]).await?.result;
        configuration(&result).ok_or_else(|| strange(&attempted, "the reply holds no version"))
    }

    /// Replaces the whole configuration. There is no precondition at the API: look at the version right before.
    ///
    /// # Errors
    /// `Invalid` when a rule is refused; `UnknownOutcome` when the reply was lost.
    pub async fn put_configuration(&self, account: &str, id: &str, config: &Value) -> Answer<Configuration> {
        let attempted = format!("write the configuration of the tunnel {id}");
        let body = json!({"config": config});
        let result = self.wire.once(&attempted, Method::PUT, &configurations(account, id), &body).await?.result;
        configuration(&result)
            .ok_or_else(|| Failure::new(Class::UnknownOutcome, attempted, "the reply does not show what was written"))
    }

    /// The connectors of a tunnel.
    ///
    /// # Errors
    /// `NotFound` when there is no such tunnel.
    pub async fn connections(&self, account: &str, id: &str) -> Answer<Vec<Connector>> {
        let attempted = format!("list the connections of the tunnel {id}");
        let result = self.wire.get(&attempted, &connections(account, id), &[]).await?.result;
        let Value::Array(clients) = result else { return Err(strange(&attempted, "the reply holds no list")) };
        let up = |client: &Value| {
            let all = client["conns"].as_array().into_iter().flatten();
            all.filter(|connection| connection["is_pending_reconnect"] != true).count()
        };
        Ok(clients
            .iter()
            .map(|c| Connector { id: c["id"].as_str().unwrap_or_default().to_owned(), connections: up(c) })
            .collect())
    }

    /// Ends all connections of a tunnel, also those that linger after their connector has gone.
    ///
    /// # Errors
    /// All that any write may bring.
    pub async fn end_connections(&self, account: &str, id: &str) -> Answer<()> {
        let attempted = format!("end the connections of the tunnel {id}");
        gone(self.wire.repeatable(&attempted, Method::DELETE, &connections(account, id), None).await.map(|_| ()))
    }
}

fn tunnels(account: &str) -> String {
    format!("/accounts/{account}/cfd_tunnel")
}

fn configurations(account: &str, id: &str) -> String {
    format!("{}/{id}/configurations", tunnels(account))
}

fn connections(account: &str, id: &str) -> String {
    format!("{}/{id}/connections", tunnels(account))
}

fn configuration(value: &Value) -> Option<Configuration> {
    let config = value.get("config").cloned().unwrap_or(Value::Null);
    // The description says `number`: a float would be one too.
    let version = value["version"].as_f64().filter(|v| *v >= 0.0)?;
    Some(Configuration { version: version as u64, config })
}

fn gone(answer: Answer<()>) -> Answer<()> {
    match answer {
        Err(failure) if failure.class == Class::NotFound => Ok(()),
        answer => answer,
    }
}
