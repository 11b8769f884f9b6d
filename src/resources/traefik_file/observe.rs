//! From files to an inventory.
use super::{FileName, Live, Scope, Served, TraefikFile};
use crate::{
    model::{Answer, Class, Failure, Foreign, Found, Inventory, Observation, Observed, Ours, Revision},
    providers::{
        Providers,
        traefik::{DynamicFile, Problem, Route, Running, Traefik},
    },
};
use std::collections::BTreeSet;

/// The client, or why there is none.
pub fn client(providers: &Providers) -> Answer<&Traefik> {
    providers.traefik.as_ref().ok_or_else(|| {
        Failure::new(Class::Unreachable, "reach Traefik's files", "this site declares no usable access to its node")
            .hint("say how in the `host` of the Site")
    })
}

/// All files of the directory, and of ours what Traefik makes of them.
pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<TraefikFile> {
    let seen = async {
        let traefik = client(providers)?;
        let files = traefik.files().await?;
        // An API that does not answer makes nothing unavailable: the files are the truth, it only tells more.
        let running = traefik.running().await.ok().flatten();
        Ok::<_, Failure>(files.iter().map(|file| entry(file, &scope.site, running.as_ref())).collect())
    };
    match seen.await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

pub async fn look(providers: &Providers, scope: &Scope, keys: &[FileName]) -> Answer<Inventory<TraefikFile>> {
    let traefik = client(providers)?;
    let mut all = Inventory::<TraefikFile>::new();
    if let [key] = keys {
        all.extend(traefik.file(&key.0).await?.map(|file| entry(&file, &scope.site, None)));
        return Ok(all);
    }
    let keys: BTreeSet<&FileName> = keys.iter().collect();
    let files = traefik.files().await?;
    all.extend(files.iter().map(|file| entry(file, &scope.site, None)).filter(|(key, _)| keys.contains(key)));
    Ok(all)
}

/// One file.
pub fn entry(file: &DynamicFile, site: &str, running: Option<&Running>) -> (FileName, Found<Live>) {
    let revision = Revision::of(&file.text);
    let key = FileName(file.name.clone());
    let foreign = |holder: String, live: Live| Found::Foreign(Foreign { holder, revision: revision.clone(), live });
    let read = match file.read() {
        Ok(read) => read,
        Err(problem) => {
            let refused = matches!(problem, Problem::Refused(_)).then(|| problem.to_string());
            return (key, foreign("a file without our mark".into(), Live { refused, ..Live::default() }));
        }
    };
    let found = match read.mark {
        Some(mark) if mark.site == site && Route::file_name(&mark) == file.name => {
            let route = read.route.filter(|route| route.mark == mark);
            let intact = route.as_ref().is_some_and(|r| r.render().as_deref() == Ok(file.text.as_str()));
            let served = match (&route, running) {
                (Some(route), Some(running)) => match running.serves(route) {
                    Ok(()) => Served::Yes,
                    Err(failure) => Served::No(failure.reason),
                },
                _ => Served::Unknown,
            };
            let (guest, hosts, target) = route.map_or_else(Default::default, |r| (r.guest, r.hosts, Some(r.target)));
            let live = Live { guest, hosts, target, intact, served, ..Live::default() };
            Found::Ours(Ours { mark, revision, live })
        }
        Some(mark) if mark.site == site => {
            let holder = format!("a copy of {}", Route::file_name(&mark));
            foreign(holder, Live { claims: read.hosts, ..Live::default() })
        }
        Some(mark) => foreign(format!("the site {}", mark.site), Live { claims: read.hosts, ..Live::default() }),
        None => foreign("a file without our mark".into(), Live { claims: read.hosts, ..Live::default() }),
    };
    (key, found)
}
