//! Traefik's read-only API: what it has made of the files.
use crate::{
    model::{Answer, Class, Failure, HttpUrl},
    providers::http::{self, Options, Trust},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};

/// A client of the API at one address.
#[derive(Clone, Debug)]
pub struct Api {
    base: HttpUrl,
    client: reqwest::Client,
}

/// A router as Traefik runs it; fields that it may leave out are empty.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Router {
    pub rule: String,
    pub service: String,
    /// `enabled`, `warning`, `disabled`.
    pub status: String,
    /// Why it is not enabled, in Traefik's words.
    pub error: Vec<String>,
    /// Entry points on which it is really served.
    pub using: Vec<String>,
}

/// A service as Traefik runs it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    pub load_balancer: LoadBalancer,
    pub status: String,
    pub error: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    pub servers: Vec<Server>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Server {
    pub address: String,
}

/// Everything of TCP that Traefik runs, by `NAME@PROVIDER`; `/api/rawdata` leaves out what is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    pub tcp_routers: BTreeMap<String, Router>,
    pub tcp_services: BTreeMap<String, Service>,
    /// HTTP routers: one that ends TLS for a name goes before a passthrough of it.
    pub routers: BTreeMap<String, HttpRouter>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpRouter {
    pub rule: String,
    pub status: String,
    pub tls: Option<serde_json::Value>,
}

impl Api {
    /// # Errors
    /// Those of setting up a TLS client, where the URL is HTTPS.
    pub fn new(base: HttpUrl) -> Answer<Self> {
        let options =
            Options { connect: Duration::from_secs(2), timeout: Duration::from_secs(5), ..Options::default() };
        let trust = if base.is_https() { Trust::SystemRoots } else { Trust::Nobody };
        Ok(Self { base, client: http::client(&trust, &options)? })
    }

    /// All that it runs.
    ///
    /// # Errors
    /// `Unreachable` or `Transient` when it does not answer, `Denied` and `Invalid` when it answers something else.
    pub async fn running(&self) -> Answer<Running> {
        let found = self.get("/api/rawdata").await?;
        found.ok_or_else(|| {
            Failure::new(Class::Invalid, self.attempted("/api/rawdata"), "there is no such path").hint(
                "`api` of the Gateway must be the address of Traefik's API, which its static configuration switches on",
            )
        })
    }

    /// One TCP router of the file provider; `None`: Traefik runs none of that name.
    ///
    /// # Errors
    /// Those of [`Api::running`].
    pub async fn tcp_router(&self, name: &str) -> Answer<Option<Router>> {
        let id: String = url::form_urlencoded::byte_serialize(format!("{name}@file").as_bytes()).collect();
        self.get(&format!("/api/tcp/routers/{id}")).await
    }

    fn attempted(&self, path: &str) -> String {
        format!("ask Traefik at {} for {path}", self.base)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<Option<T>> {
        let attempted = self.attempted(path);
        let url = format!("{}{path}", self.base.to_string().trim_end_matches('/'));
        let failed = |e: reqwest::Error| http::failed(&attempted, true, &e);
        let response = self.client.get(url).send().await.map_err(failed)?;
        let status = response.status();
        let body = response.bytes().await.map_err(failed)?;
        match status.as_u16() {
            200 => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|e| Failure::new(Class::Invalid, attempted, format!("the answer is not as expected: {e}"))),
            404 => Ok(None),
            401 | 403 => Err(Failure::new(Class::Denied, attempted, format!("HTTP {status}"))),
            500.. => Err(Failure::new(Class::Transient, attempted, format!("HTTP {status}"))),
            _ => Err(Failure::new(Class::Invalid, attempted, format!("HTTP {status}"))),
        }
    }
}
