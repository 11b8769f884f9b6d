//! The ingress document of a tunnel: replaced whole, counted, checked as `cloudflared` checks it.
use crate::sandbox::cloudflare::{envelope::Refusal, state::Tunnel};
use serde_json::{Value, json};

/// The document as replies show it.
pub fn object(tunnel: &Tunnel, account: &str) -> Value {
    json!({
        "tunnel_id": tunnel.id,
        "account_id": account,
        "version": tunnel.version,
        "config": tunnel.config,
        "source": tunnel.config_src,
        "created_at": tunnel.configured_at.as_ref().unwrap_or(&tunnel.created_at),
    })
}

/// Nothing of the old document is kept.
pub fn replace(tunnel: &mut Tunnel, config: Value, now: &str) -> Result<(), Refusal> {
    check(&config).map_err(|text| Refusal::new(400, 1056, format!("Bad Configuration: {text}")))?;
    tunnel.config = Some(config).filter(|c| !c.is_null());
    tunnel.version += 1;
    tunnel.configured_at = Some(now.to_owned());
    Ok(())
}

fn check(config: &Value) -> Result<(), String> {
    let rules: Vec<&Value> = config["ingress"].as_array().into_iter().flatten().collect();
    let last = rules.len().saturating_sub(1);
    for (n, rule) in rules.iter().enumerate() {
        let host = rule["hostname"].as_str().unwrap_or_default();
        let path = rule["path"].as_str().unwrap_or_default();
        let all = matches!(host, "" | "*") && path.is_empty();
        match (n == last, all) {
            (true, false) => {
                return Err("The last ingress rule must match all URLs (i.e. it should not have a hostname or path \
                            filter)"
                    .into());
            }
            (false, true) => {
                return Err(format!(
                    "Rule #{} is matching the hostname '{host}', but this will match every hostname, meaning the \
                     rules which follow it will never be triggered.",
                    n + 1
                ));
            }
            _ => {}
        }
        check_host(host).map_err(|why| format!("Rule #{} has an invalid hostname: {why}", n + 1))?;
        regex::Regex::new(path).map_err(|_| format!("Rule #{} has an invalid regex", n + 1))?;
        let service = rule["service"].as_str().unwrap_or_default();
        check_service(service).map_err(|why| format!("Rule #{} has an invalid service: {why}", n + 1))?;
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.contains(':') {
        return Err("cannot contain a port");
    }
    match host.rfind('*') {
        Some(0) | None => Ok(()),
        Some(_) => Err("wildcards can only be used at the start, like '*.example.com'"),
    }
}

fn check_service(service: &str) -> Result<(), String> {
    if matches!(service, "hello_world" | "hello-world" | "bastion" | "socks-proxy") {
        return Ok(());
    }
    if let Some(status) = service.strip_prefix("http_status:") {
        let number = status.parse::<u16>().ok().filter(|n| (100..=999).contains(n));
        return number.map(|_| ()).ok_or_else(|| format!("invalid HTTP status code {status}"));
    }
    if let Some(path) = service.strip_prefix("unix:").or_else(|| service.strip_prefix("unix+tls:")) {
        return if path.is_empty() { Err("the path of the socket is missing".into()) } else { Ok(()) };
    }
    let Some((scheme, rest)) = service.split_once("://") else {
        return Err(format!("{service} is an invalid address, please make sure it has a scheme and a hostname"));
    };
    if !matches!(scheme, "http" | "https" | "ws" | "wss" | "tcp" | "ssh" | "rdp" | "smb") || rest.is_empty() {
        return Err(format!("{service} is an invalid address, please make sure it has a scheme and a hostname"));
    }
    match rest.trim_end_matches('/').contains('/') {
        true => Err(format!("{service} is an invalid address, ingress rules don't support proxying to a path")),
        false => Ok(()),
    }
}
