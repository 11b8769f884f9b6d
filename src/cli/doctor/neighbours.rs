//! The node behind the host transport, and Cloudflare.
use super::finding::Finding;
use crate::{
    kinds::Declarations,
    providers::{
        Providers,
        host::{Host, Limits},
    },
};
use bytes::Bytes;

pub(super) async fn examine(declarations: &Declarations, providers: &Providers) -> Vec<Finding> {
    let (host, mut cloudflare) =
        tokio::join!(host(declarations, providers.host.as_ref()), cloudflare(declarations, providers));
    cloudflare.insert(0, host);
    cloudflare
}

async fn host(declarations: &Declarations, host: Option<&Host>) -> Finding {
    let about = "node";
    let Some(host) = host else {
        let needed = !declarations.gateways.is_empty()
            || !declarations.dns_slugs.is_empty()
            || !declarations.tunnels.is_empty()
            || !declarations.sync_schedules.is_empty();
        return match (needed, declarations.site().and_then(|site| site.spec.host.as_ref())) {
            (true, None) => Finding::wrong(about, "the Site has no `host`, which these manifests need").hint(
                "host: local where Trueup runs on the node; host: { ssh: root@NODE, key: …, knownHosts: … } elsewhere",
            ),
            _ => Finding::not_asked(about, "the Site has no `host`, or it was left out"),
        };
    };
    match host.run(&["true"], Bytes::new(), Limits::default()).await {
        Ok(output) if output.status == 0 => Finding::good(about, "commands run on it"),
        Ok(output) => Finding::wrong(about, format!("`true` ended with {}: {}", output.status, output.complaint())),
        Err(failure) => Finding::failed(about, failure),
    }
}

async fn cloudflare(declarations: &Declarations, providers: &Providers) -> Vec<Finding> {
    let about = "cloudflare";
    let site = declarations.site();
    let Some((site, spec)) = site.and_then(|site| Some((site, site.spec.cloudflare.as_ref()?))) else {
        return vec![Finding::not_asked(about, "the Site does not declare it")];
    };
    let Some(client) = &providers.cloudflare else {
        return vec![Finding::not_asked(about, "it was left out")];
    };
    let mut findings = vec![match client.verify(&spec.account).await {
        Ok(()) => Finding::good(about, "the token is active"),
        Err(failure) => return vec![Finding::failed(about, failure)],
    }];
    let domain = site.spec.domain.as_str();
    findings.push(match client.zone(&spec.zone).await {
        Ok(zone) if zone.name == domain && zone.status == "active" => {
            Finding::good(about, format!("the zone {} is {domain}, plan {}", zone.id, zone.plan))
        }
        Ok(zone) if zone.name == domain => {
            Finding::doubtful(about, format!("the zone {domain} is {}: nobody is sent there yet", zone.status))
        }
        Ok(zone) => Finding::wrong(about, format!("the zone {} is {}, not {domain}", zone.id, zone.name))
            .hint("spec.cloudflare.zone is shown on the overview page of the domain"),
        Err(failure) => Finding::failed(about, failure),
    });
    findings
}
