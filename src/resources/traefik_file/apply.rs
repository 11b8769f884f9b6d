//! From changes to files, and to an answer of Traefik.
use super::{Change, TraefikFile, observe::client};
use crate::{
    model::Answer,
    providers::{Providers, traefik::Route},
    resources::Act,
};

/// Writes all files, then asks until every route is served. A route that is not keeps its file: the step says why it is
/// not served, and the others are done.
pub async fn apply_all(providers: &Providers, acts: Vec<Act<'_, TraefikFile>>) -> Vec<Answer<()>> {
    let traefik = match client(providers) {
        Ok(traefik) => traefik,
        Err(failure) => return acts.iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut answers = vec![];
    let mut written: Vec<(usize, Route)> = vec![];
    for (n, act) in acts.iter().enumerate() {
        answers.push(match act.change {
            Change::Put(desired) => {
                let route = Route {
                    mark: act.mark.clone(),
                    guest: Some(desired.guest),
                    hosts: desired.hosts.clone(),
                    target: desired.target,
                };
                let put = traefik.put(&route).await;
                if put.is_ok() {
                    written.push((n, route));
                }
                put
            }
            Change::Remove => traefik.remove(&act.key.0).await,
        });
    }
    let routes: Vec<&Route> = written.iter().map(|(_, route)| route).collect();
    if !routes.is_empty() {
        for ((n, _), served) in written.iter().zip(traefik.await_served(&routes).await) {
            answers[*n] = served;
        }
    }
    answers
}
