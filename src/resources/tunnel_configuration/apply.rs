//! One change, as calls. Thin.
use super::{Scope, TunnelConfiguration};
use crate::{
    model::{Answer, Class, Failure},
    providers::Providers,
    resources::{Act, tunnel},
};

pub async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, TunnelConfiguration>) -> Answer<()> {
    let cloudflare = providers.cloudflare()?;
    let account = &scope.tunnels.account;
    let (id, version) = match act.seen {
        Some(live) => (live.tunnel.clone(), live.version),
        None => match tunnel::of_key(providers, &scope.tunnels, act.key).await? {
            Some(tunnel) => (tunnel.id, 0),
            None => {
                let attempted = format!("configure the tunnel {}", act.key);
                return Err(Failure::new(Class::NotFound, attempted, "there is no such tunnel"));
            }
        },
    };
    let written = cloudflare.put_configuration(account, &id, &act.change.config).await?;
    // The API takes no precondition: whoever wrote between our look and our write has been overwritten, and only the
    // number tells.
    if written.version > version + 1 {
        let why =
            format!("it went from version {version} to {} at once: somebody else wrote in between", written.version);
        return Err(Failure::new(Class::Conflict, format!("configure the tunnel {id}"), why)
            .hint("what was written in between is lost; look at the tunnel's audit log"));
    }
    Ok(())
}
