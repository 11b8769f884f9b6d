//! Changes behind the product's back, made the way people make them: through the APIs, with nft, with an editor.
//! They are not in the log of calls and meet no faults.
use super::{
    site::{Network, Site},
    wire::{Api, Reply, Request},
};
use crate::providers::{
    host::Limits,
    nftables::{self, Element, Transaction},
};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fs, net::IpAddr, sync::Arc};

/// One thing that somebody does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Drift {
    /// Deletes the forwards of a public port, on all addresses.
    Forward { port: u16 },
    /// `nft flush ruleset`.
    FlushRuleset,
    /// Edits the content of the DNS records of a name; with an address, of those of its family.
    Record { name: String, content: String },
    /// Deletes the DNS records of a name.
    DeleteRecord { name: String },
    /// Sets a guest's memory, in MiB. The guest by its name or vmid.
    Memory { guest: String, mib: u64 },
    /// Starts or stops a guest.
    Power { guest: String, running: bool },
    /// Moves a guest to another node.
    Migrate { guest: String, node: String },
    /// Takes a node down, or brings it up again.
    Node { node: String, online: bool },
    /// Gives an interface of a guest (`eth0`) another address, as a DHCP server does.
    Lease { guest: String, interface: String, address: ipnet::IpNet },
    /// Writes a file on the node, or in a guest.
    File {
        #[serde(default)]
        vmid: Option<u32>,
        path: String,
        content: String,
    },
    /// Removes a file on the node, or in a guest.
    RemoveFile {
        #[serde(default)]
        vmid: Option<u32>,
        path: String,
    },
    /// Any call of an API (`proxmox` or `cloudflare`), with an administrator's token; a JSON body.
    Call {
        system: String,
        method: String,
        path: String,
        #[serde(default)]
        body: Option<Value>,
    },
}

/// Does it, and says what was done.
///
/// # Errors
/// When there is no such thing, or the API refuses.
pub async fn apply(site: &Arc<Site>, drift: Drift) -> Result<String> {
    match drift {
        Drift::Forward { port } => delete_forwards(site, port).await,
        Drift::FlushRuleset => {
            nft(site, &["nft", "flush", "ruleset"], "").await?;
            Ok("flushed the ruleset".to_owned())
        }
        Drift::Record { name, content } => {
            // An address is no content for a record of the other family.
            let family = content.parse::<IpAddr>().ok().map(|address| if address.is_ipv4() { "A" } else { "AAAA" });
            let mut records = records(site, &name).await?;
            records.retain(|record| family.is_none_or(|family| record.kind == family));
            ensure!(!records.is_empty(), "no DNS record of {name} can have this content");
            for record in &records {
                let body = json!({ "content": content });
                cloudflare(site, "PATCH", &record.path, Some(&body)).await?;
            }
            Ok(format!("edited {} of {name} to {content}", count(records.len(), "record")))
        }
        Drift::DeleteRecord { name } => {
            let records = records(site, &name).await?;
            for record in &records {
                cloudflare(site, "DELETE", &record.path, None).await?;
            }
            Ok(format!("deleted {} of {name}", count(records.len(), "record")))
        }
        Drift::Memory { guest, mib } => {
            let (path, name) = guest_path(site, &guest)?;
            proxmox(site, "PUT", &format!("{path}/config"), Some(&json!({ "memory": mib }))).await?;
            Ok(format!("set the memory of {name} to {mib} MiB"))
        }
        Drift::Power { guest, running } => {
            let (path, name) = guest_path(site, &guest)?;
            let verb = if running { "start" } else { "stop" };
            proxmox(site, "POST", &format!("{path}/status/{verb}"), None).await?;
            Ok(format!("asked {name} to {verb}"))
        }
        Drift::Migrate { guest, node } => {
            let (path, name) = guest_path(site, &guest)?;
            let body = match path.contains("/lxc/") {
                true => json!({ "target": node, "restart": 1 }),
                false => json!({ "target": node, "online": 1, "with-local-disks": 1 }),
            };
            proxmox(site, "POST", &format!("{path}/migrate"), Some(&body)).await?;
            Ok(format!("asked {name} to move to {node}"))
        }
        Drift::Node { node, online } => {
            let changed = site.proxmox.set_online(&node, online);
            changed.map_err(|why| anyhow::anyhow!(why))?;
            Ok(format!("took {node} {}", if online { "up" } else { "down" }))
        }
        Drift::Lease { guest, interface, address } => {
            let guests = site.proxmox.guests();
            let found = guests.iter().find(|g| g.name == guest || g.vmid.to_string() == guest);
            let found = found.with_context(|| format!("there is no guest {guest}"))?;
            site.proxmox.set_lease(found.vmid, &interface, address);
            Ok(format!("{interface} of {} has {address}", found.name))
        }
        Drift::File { vmid, path, content } => {
            let file = inside(site, vmid, &path)?;
            fs::write(&file, content).with_context(|| format!("write {path}"))?;
            site.touched.send_modify(|n| *n += 1);
            Ok(format!("wrote {path}"))
        }
        Drift::RemoveFile { vmid, path } => {
            fs::remove_file(inside(site, vmid, &path)?).with_context(|| format!("remove {path}"))?;
            site.touched.send_modify(|n| *n += 1);
            Ok(format!("removed {path}"))
        }
        Drift::Call { system, method, path, body } => {
            let answer = match system.as_str() {
                "proxmox" => proxmox(site, &method, &path, body.as_ref()).await?,
                "cloudflare" => cloudflare(site, &method, &path, body.as_ref()).await?,
                other => bail!("there is no API `{other}`: proxmox or cloudflare"),
            };
            Ok(answer.to_string())
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

async fn delete_forwards(site: &Arc<Site>, port: u16) -> Result<String> {
    let listed = nft(site, &nftables::LIST, "").await.context("there are no forwards")?;
    let table = nftables::read(&listed).map_err(|e| anyhow::anyhow!("the listing cannot be read: {e}"))?;
    let of_port = |element: &Element| matches!(element, Element::Forward { public, .. } if public.port == port);
    let gone: Vec<Element> = table.entries.into_iter().map(|entry| entry.element).filter(of_port).collect();
    ensure!(!gone.is_empty(), "no forward has the public port {port}");
    let mut transaction = Transaction::new();
    transaction.delete(&gone);
    nft(site, &nftables::APPLY, transaction.text()).await?;
    Ok(format!("deleted {} of public port {port}", count(gone.len(), "forward")))
}

async fn nft(site: &Arc<Site>, argv: &[&str], stdin: &str) -> Result<Bytes> {
    let words = argv.iter().map(|&word| word.to_owned()).collect();
    let output = site.ground.run(words, Bytes::copy_from_slice(stdin.as_bytes()), Limits::default()).await;
    ensure!(output.status == 0, "nft: {}", output.complaint());
    if let Network::Namespaces { .. } = site.network {
        site.save_nft().await?;
    }
    Ok(output.stdout)
}

fn inside(site: &Site, vmid: Option<u32>, path: &str) -> Result<std::path::PathBuf> {
    ensure!(!path.split('/').any(|part| part == ".."), "{path}: a path must not leave the machine");
    let root = vmid.map_or_else(|| site.node.root(), |vmid| site.node.guest_root(vmid));
    ensure!(root.is_dir(), "there is no such guest");
    Ok(root.join(path.trim_start_matches('/')))
}

fn guest_path(site: &Site, guest: &str) -> Result<(String, String)> {
    let all = site.proxmox.guests();
    let found = all.into_iter().find(|g| g.name == guest || g.vmid.to_string() == guest);
    let found = found.with_context(|| format!("there is no guest `{guest}`"))?;
    let kind = match found.kind {
        super::proxmox::Kind::Lxc => "lxc",
        super::proxmox::Kind::Qemu => "qemu",
    };
    Ok((format!("/api2/json/nodes/{}/{kind}/{}", found.node, found.vmid), found.name))
}

struct Record {
    path: String,
    kind: String,
}

/// The records of a name, in whatever zone.
async fn records(site: &Site, name: &str) -> Result<Vec<Record>> {
    let mut all = Vec::new();
    for zone in &site.seed.cloudflare.zones {
        let path = format!("/client/v4/zones/{}/dns_records", zone.id);
        let found = cloudflare(site, "GET", &format!("{path}?name={name}"), None).await?;
        let found = found["result"].as_array().into_iter().flatten();
        let ids = found.filter_map(|record| Some((record["id"].as_str()?, record["type"].as_str()?)));
        all.extend(ids.map(|(id, kind)| Record { path: format!("{path}/{id}"), kind: kind.to_owned() }));
    }
    ensure!(!all.is_empty(), "no DNS record is called {name}");
    Ok(all)
}

async fn proxmox(site: &Site, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let token = site.seed.administrator_token().context("no token")?;
    call(&*site.proxmox, method, path, ("authorization", format!("PVEAPIToken={token}")), body).await
}

async fn cloudflare(site: &Site, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let token = site.seed.cloudflare_token().context("no token")?;
    call(&*site.cloudflare, method, path, ("authorization", format!("Bearer {token}")), body).await
}

async fn call(api: &dyn Api, method: &str, path: &str, auth: (&str, String), body: Option<&Value>) -> Result<Value> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
    let mut headers = vec![(auth.0.to_owned(), auth.1), ("host".to_owned(), "127.0.0.1".to_owned())];
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    if !body.is_empty() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.push(("content-length".to_owned(), body.len().to_string()));
    }
    let method = method.to_ascii_uppercase();
    let request =
        Request { method: method.clone(), path: path.to_owned(), query, headers, body, connection: 0, nth: 1 };
    let Reply { status, reason, body, .. } = api.answer(request).await;
    let text = String::from_utf8_lossy(&body);
    ensure!((200..300).contains(&status), "{method} {path}: {status} {} {text}", reason.unwrap_or_default());
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
