//! One change, as calls. Thin.
use super::{Change, Scope, Tunnel, name};
use crate::{
    model::{Answer, Class, Failure},
    providers::Providers,
    resources::Act,
};

pub async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Tunnel>) -> Answer<()> {
    let cloudflare = providers.cloudflare()?;
    let wanted = name::write(act.mark);
    match (act.change, act.seen) {
        (Change::Create, None) => cloudflare.create_tunnel(&scope.account, &wanted).await.map(|_| ()),
        (Change::Adopt { .. } | Change::Rename { .. }, Some(live)) => {
            cloudflare.rename_tunnel(&scope.account, &live.id, &wanted).await
        }
        (Change::Delete { .. }, Some(live)) => {
            // Connections of a connector that has gone stay listed for minutes and would hold the tunnel.
            cloudflare.end_connections(&scope.account, &live.id).await?;
            cloudflare.delete_tunnel(&scope.account, &live.id).await
        }
        (change, seen) => {
            let there = if seen.is_some() { "the tunnel is there" } else { "no tunnel is there" };
            Err(Failure::new(Class::Conflict, format!("{change} (tunnel {wanted})"), there))
        }
    }
}
