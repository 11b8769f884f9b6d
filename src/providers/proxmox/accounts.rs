//! Logging in with a password, for the few calls that make a token; whoever has one never needs it again.
use super::{Proxmox, strange, transport};
use crate::{
    model::{Answer, Class, Failure},
    providers::{http::Trust, proxmox::Patience},
};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::sync::Arc;
use url::Url;

impl Proxmox {
    /// Logs a user in: `root@pam`. The ticket holds for two hours.
    ///
    /// # Errors
    /// `Denied` for a wrong password, or where a second factor is asked for.
    pub async fn log_in(endpoints: Vec<Url>, trust: &Trust, user: &str, password: &SecretString) -> Answer<Self> {
        let patience = Patience::default();
        let attempted = format!("log in at Proxmox VE as {user}");
        let nobody = transport::Wire::with(endpoints.clone(), trust, transport::Credential::Nobody, &patience)?;
        let pairs = vec![
            ("username".to_owned(), user.to_owned()),
            ("password".to_owned(), password.expose_secret().to_owned()),
        ];
        let answer =
            nobody.write(&attempted, Method::POST, "/access/ticket", &pairs).await.map_err(|failure| match failure
                .class
            {
                Class::Denied => {
                    let why = "the user is unknown or the password is wrong";
                    Failure::new(Class::Denied, &attempted, why)
                        .hint("the realm belongs to the name: root@pam, ops@pve")
                }
                _ => failure,
            })?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(SecretString::from);
        if answer.get("NeedTFA").is_some_and(|need| need.as_u64() != Some(0)) {
            let why = "the user has a second factor, which is not supported here";
            let hint = "run it on the node itself, where pveum needs no password (`host:` in the Site)";
            return Err(Failure::new(Class::Denied, attempted, why).hint(hint));
        }
        let (ticket, csrf) =
            text("ticket").zip(text("CSRFPreventionToken")).ok_or_else(|| strange(&attempted, "no ticket"))?;
        let credential = transport::Credential::Ticket { ticket, csrf };
        let wire = Arc::new(transport::Wire::with(endpoints, trust, credential, &patience)?);
        Ok(Self { wire, homes: Arc::default(), patience })
    }

    /// Reads below `/access`.
    pub async fn access(&self, attempted: &str, path: &str) -> Answer<Value> {
        self.wire.get(attempted, &format!("/access{path}"), &[]).await
    }

    /// Writes below `/access`, once.
    pub async fn change_access(
        &self,
        attempted: &str,
        method: Method,
        path: &str,
        pairs: &[(String, String)],
    ) -> Answer<Value> {
        self.wire.write(attempted, method, &format!("/access{path}"), &pairs.to_vec()).await
    }
}
